package pathset

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// asking is a set whose first MEETs wait for the word of two hubs on where this node is.
func asking(t *testing.T, caller bool) (x *Set, hubs [2]*hub, now time.Time) {
	node := memnet.New(1).Node(netip.MustParseAddrPort("10.0.0.1:4242"))
	t.Cleanup(node.Kill)
	board := meeting.New(meeting.Config{Self: meeting.DID{1}, Rand: rand.Reader,
		Circuits: circuit.New(circuit.Config{Labels: labels{}, Handler: labels{}, Rand: rand.Reader})})
	seat := board.Join(meeting.DID{2}, guest{})
	x = New(Config{Owner: new(owner), Network: node, Traffic: new(link.Traffic), Seat: seat,
		Machine: paths.Config{Kinds: []paths.Kind{KindOf(link.KindDirect), KindOf(link.KindCircuit)}, Caller: caller}})
	now = time.Now()
	for i := range hubs {
		hubs[i] = new(hub)
		board.Up(meeting.DID{9, byte(i)}, hubs[i], nil, time.Millisecond)
		x.HubChanged(paths.Hub(i+1), paths.HubState{Up: true}, now)
	}
	x.Phase(paths.Trying, now)
	now = now.Add(2 * time.Second) // configured endpoints have had their head start
	x.Tick(now)
	if len(hubs[0].frames)+len(hubs[1].frames) != 0 {
		t.Fatal("a MEET does not wait")
	}
	return x, hubs, now
}

// A loop that comes late wants the repetition of a MEET that still waits: one leaves, and
// what follows repeats it. Two would be two meetings of one pair at the hub.
func TestARepetitionDoesNotOvertakeItsMeet(t *testing.T) {
	x, hubs, now := asking(t, true)
	for range 20 {
		now = now.Add(510 * time.Millisecond) // longer than MEETs wait, and than answers take
		if x.Tick(now); len(hubs[0].frames) > 0 {
			break
		}
	}
	x.Tick(now.Add(20 * time.Millisecond))
	x.Tick(now.Add(300 * time.Millisecond))
	for _, h := range hubs {
		if len(h.frames) != 1 {
			t.Errorf("%d frames left, want one MEET", len(h.frames))
		}
	}
}

// A MEET that is repeated is the newest, and no answer to an older one counts.
func TestAnOlderMeetIsOver(t *testing.T) {
	x, hubs, now := asking(t, true)
	x.Tick(now.Add(100 * time.Millisecond)) // the first leaves
	first, ok := wire.ParseMeet(hubs[0].frames[0])
	if !ok {
		t.Fatalf("%x", hubs[0].frames[0])
	}
	now = now.Add(time.Minute)
	x.talks.meet(x.talks.of(1), paths.Action{Op: paths.Ask, Hub: 1, Count: 1}, now)
	x.Brought(meeting.News{Hub: 1, Step: paths.Met, ID: first.ID, Label: wire.MakeRecordID([7]byte{1})}, now)
	if len(x.Paths()) != 0 {
		t.Error("the answer to an older MEET counts")
	}
	x.talks.meet(x.talks.of(1), paths.Action{Op: paths.Ask, Hub: 1, Count: 2}, now)
	x.Tick(now.Add(20 * time.Millisecond))
	if last := hubs[0].frames[len(hubs[0].frames)-1]; bytes.Equal(last, hubs[0].frames[0]) {
		t.Error("an older MEET is repeated")
	}
}

// The peer's MEET comes by one hub while ours wait: this end is the callee, and asks none.
func TestAMeetThatWaitsIsNotSentByTheCallee(t *testing.T) {
	x, hubs, now := asking(t, false)
	peer := []paths.Candidate{{Remote: netip.MustParseAddrPort("192.0.2.1:4242"), Origin: paths.Told}}
	x.Brought(meeting.News{Hub: 1, Step: paths.Asked, ID: 7, Label: wire.MakeRecordID([7]byte{1}), Candidates: peer}, now)
	x.Tick(now.Add(100 * time.Millisecond))
	for i, h := range hubs {
		for _, f := range h.frames {
			if m, ok := wire.ParseMeet(f); !ok || !m.Met {
				t.Errorf("hub %d gets a MEET of the callee", i+1)
			}
		}
	}
	if len(hubs[0].frames) != 1 {
		t.Errorf("%d frames to the hub of the peer's MEET, want MET", len(hubs[0].frames))
	}
}

// This host is in another network while a MET waits: the openers left from the former one,
// so the peer is told nothing.
func TestAMetThatWaitsIsNotSentFromElsewhere(t *testing.T) {
	x, hubs, now := asking(t, false)
	peer := []paths.Candidate{{Remote: netip.MustParseAddrPort("192.0.2.1:4242"), Origin: paths.Told}}
	x.Brought(meeting.News{Hub: 1, Step: paths.Asked, ID: 7, Label: wire.MakeRecordID([7]byte{1}), Candidates: peer}, now)
	x.HostChanged(now)
	x.Tick(now.Add(100 * time.Millisecond))
	for i, h := range hubs {
		for _, f := range h.frames {
			if m, ok := wire.ParseMeet(f); !ok || m.Met {
				t.Errorf("hub %d gets a MET", i+1)
			}
		}
	}
}
