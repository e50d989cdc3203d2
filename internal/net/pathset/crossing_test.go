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

// labels takes any label, and knows no record.
type labels struct{ link.Handler }

func (labels) Known(wire.RecordID) bool                            { return false }
func (labels) PutLabel(wire.RecordID, link.DatagramReceiver) error { return nil }
func (labels) DeleteLabel(wire.RecordID)                           {}

// A hub notes what is sent to it, as its session.
type hub struct{ frames [][]byte }

func (h *hub) SendFrame(f []byte) { h.frames = append(h.frames, bytes.Clone(f)) }
func (h *hub) Look()              {}
func (h *hub) Suspect()           {}
func (h *hub) Awaited()           {}

// A guest is told of nothing: the test tells the set.
type guest struct{}

func (guest) HubChanged(paths.Hub, paths.HubState) {}
func (guest) HubMoved(paths.Hub)                   {}
func (guest) Brought(meeting.News)                 {}

// SPEC 6.13: of two MEETs that cross the hub takes one and ends the other. What this end
// has agreed to for the peer's ends with NOT_MET, and the circuit stays for its own: until
// that is refused too.
func TestACircuitOutlivesAMeetThatCrosses(t *testing.T) {
	label := func(n byte) wire.RecordID { return wire.MakeRecordID([7]byte{n}) }
	for name, refused := range map[string]bool{"its own is taken": false, "its own is refused": true} {
		t.Run(name, func(t *testing.T) {
			h, node := new(hub), memnet.New(1).Node(netip.MustParseAddrPort("10.0.0.1:4242"))
			defer node.Kill()
			board := meeting.New(meeting.Config{Self: meeting.DID{1}, Rand: rand.Reader,
				Circuits: circuit.New(circuit.Config{Labels: labels{}, Handler: labels{}, Rand: rand.Reader})})
			seat := board.Join(meeting.DID{2}, guest{})
			board.Up(meeting.DID{9}, h, nil, time.Millisecond)
			x := New(Config{Owner: new(owner), Network: node, Traffic: new(link.Traffic), Seat: seat,
				Machine: paths.Config{Kinds: []paths.Kind{KindOf(link.KindCircuit)}, Caller: true}})
			now := time.Now()
			x.HubChanged(1, paths.HubState{Up: true}, now)
			x.Phase(paths.Trying, now)
			now = now.Add(2 * time.Second) // configured endpoints have had their head start
			x.Tick(now)
			if len(h.frames) != 1 {
				t.Fatalf("%d frames are sent, want MEET", len(h.frames))
			}
			own, ok := wire.ParseMeet(h.frames[0])
			if !ok || own.Met {
				t.Fatalf("%+v", own)
			}
			theirs := own.ID + 1
			x.Brought(meeting.News{Hub: 1, Step: paths.Asked, ID: theirs, Label: label(1), Bare: true}, now)
			if len(x.Paths()) != 1 {
				t.Fatalf("%d paths after the peer's MEET", len(x.Paths()))
			}
			x.Brought(meeting.News{Hub: 1, Step: paths.NotMet, ID: theirs}, now)
			if refused {
				x.Brought(meeting.News{Hub: 1, Step: paths.NotMet, ID: own.ID}, now)
				if len(x.Paths()) != 0 {
					t.Error("a circuit is left that the hub has ended")
				}
				return
			}
			x.Brought(meeting.News{Hub: 1, Step: paths.Met, ID: own.ID, Label: label(2)}, now)
			if len(x.Paths()) != 1 {
				t.Fatal("the circuit was closed for the peer's MEET")
			}
			x.Brought(meeting.News{Hub: 1, Step: paths.NotMet, ID: own.ID}, now)
			if len(x.Paths()) != 0 {
				t.Error("a circuit that the hub withdraws is kept")
			}
		})
	}
}
