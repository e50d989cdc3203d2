package hub

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

// SPEC 6.13: what ends have for each other passes as it is; the hub adds who the other
// is, its label, its round trip and its flag.
func TestMeeting(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		d.h.Measured(did(2), 7*time.Millisecond)
		m := wire.Meet{ID: 9, Other: did(2), Label: wire.RecordID(label(1)), Flags: 0x82, Sealed: []byte{1, 2, 3}}
		m.Candidates.Add(wire.Candidate{Addr: netip.MustParseAddrPort("203.0.113.7:4242"), Kind: 77})
		if !d.frame(1, m.Append(nil)) {
			t.Error("MEET is not for the hub")
		}
		d.wants("2 MEET 9 other 1 label ff000000000001 flags 83 rtt 20ms at 203.0.113.7:4242 sealed 010203")
		if d.labels.len() != 0 {
			t.Error("a circuit stands before the callee has answered")
		}
		m = wire.Meet{Met: true, ID: 9, Other: did(1), Label: wire.RecordID(label(2)), Sealed: []byte{4}}
		if !d.frame(2, m.Append(nil)) {
			t.Error("MET is not for the hub")
		}
		d.wants("1 MET 9 other 2 label ff000000000002 flags 01 rtt 7ms sealed 04")
		if !d.frame(1, wire.Ready{ID: 9, Caller: did(1)}.Append(nil)) {
			t.Error("READY is not for the hub")
		}
		d.wants("2 READY 9 caller 1")
		if out := d.passes(1, drawn(2), 2); out != label(2) {
			t.Errorf("what 1 sends comes under %x", out)
		}
		if out := d.passes(2, drawn(1), 1); out != label(1) {
			t.Errorf("what 2 sends comes under %x", out)
		}
		s := d.h.Status()
		want := relay.Traffic{Datagrams: 2, Bytes: 2 * uint64(wire.CircuitHeaderSize+len("inside"))}
		if s.Circuits != 1 || s.Peers != 2 || s.Received != want || s.Sent != want {
			t.Errorf("%+v", s)
		}
	})
}

// Whoever is sprayed at is where the hub sees it: parts in a spray pass only then.
// SPEC R-6.13-13.
func TestTheHubVouchesForWhatIsSprayedAt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		here, third := remote(1), netip.MustParseAddrPort("203.0.113.7:4242")
		for i, c := range []struct {
			all    []wire.Candidate
			passes bool
		}{
			{nil, false},
			{[]wire.Candidate{{Addr: here, Kind: wire.CandidateSeen}}, true},
			{[]wire.Candidate{{Addr: netip.AddrPortFrom(here.Addr(), 4099), Kind: wire.CandidateSeen}, {Addr: third, Kind: wire.CandidateOwn}}, true},
			{[]wire.Candidate{{Addr: third, Kind: wire.CandidateSeen}}, false},
			{[]wire.Candidate{{Addr: here, Kind: wire.CandidateSeen}, {Addr: third, Kind: wire.CandidateSeen}}, false},
			{[]wire.Candidate{{Addr: here, Kind: wire.CandidateOwn}}, false},
			{[]wire.Candidate{{Addr: netip.MustParseAddrPort("[2001:db8::1]:4242"), Kind: wire.CandidateSeen}}, false},
		} {
			m := wire.Meet{ID: uint32(i), Other: did(2), Label: wire.RecordID(label(1)), Flags: wire.MeetOpens | wire.MeetKnocks | wire.MeetSpray}
			for _, x := range c.all {
				m.Candidates.Add(x)
			}
			d.frame(1, m.Append(nil))
			synctest.Wait()
			want := " flags 21 "
			if c.passes {
				want = " flags 39 "
			}
			if sent := strings.Join(d.take(), "; "); !strings.Contains(sent, want) {
				t.Errorf("%v: %s instead of%s", c.all, sent, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

// Of two that ask at once the smaller digest stays the caller.
func TestBothAskAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		d.frame(2, meet(5, 1, label(2)))
		d.frame(1, meet(6, 2, label(1)))
		d.wants("1 MEET 5 other 2 label ff000000000001 flags 01 rtt 20ms sealed ",
			"2 MEET 6 other 1 label ff000000000002 flags 01 rtt 20ms sealed ")
		d.frame(2, met(6, 1, label(2)))
		d.wants("1 MET 6 other 2 label ff000000000003 flags 01 rtt 20ms sealed ")
		if d.labels.len() != 2 || d.passes(1, drawn(3), 2) != label(2) || d.passes(2, drawn(2), 1) != label(1) {
			t.Error("no circuit")
		}
	})
}

// Whatever keeps the callee away has one reason; the hub's own limits another.
func TestRefusals(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		d.h.Up(did(3), relay.Session{Standing: relay.Stranger}, nil)
		d.frame(1, meet(1, 3, label(1))) // not admitted
		d.frame(1, meet(2, 4, label(2))) // without a session
		d.frame(1, meet(3, 2, label(3)))
		d.frame(2, wire.NotMet{ID: 3, Caller: did(1), Reason: wire.RefusalLimit}.Append(nil)) // unwilling, whatever it says
		d.wants("1 NOT_MET 1 caller 1 reason 1", "1 NOT_MET 2 caller 1 reason 1",
			"2 MEET 3 other 1 label ff000000000001 flags 01 rtt 20ms sealed ", "1 NOT_MET 3 caller 1 reason 1")
		time.Sleep(time.Minute)
		for n := range 70 {
			d.frame(1, meet(uint32(100+n), 4, label(n)))
		}
		if s := d.h.Status(); s.Counts.Limited == 0 || s.Counts.Limited > 20 || s.Meetings != 0 {
			t.Errorf("70 meetings at once: %+v", s)
		}
	})
}

// A frame that is not for a hub is left to the end's side of the node.
func TestFramesForTheOtherSide(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		fromHub := func(m wire.Meet) []byte {
			m.ID, m.Other, m.Label, m.Flags = 1, did(2), wire.RecordID(label(1)), m.Flags|wire.MeetFromHub
			return m.Append(nil)
		}
		short := wire.Meet{Met: true, ID: 1, Other: did(2), Label: wire.RecordID(label(1)), Flags: wire.MetLabels, Sealed: make([]byte, 6)}
		for name, f := range map[string][]byte{
			"MEET of a hub":                     fromHub(wire.Meet{}),
			"MET of a hub":                      fromHub(wire.Meet{Met: true}),
			"labels of a hub":                   fromHub(wire.Meet{Met: true, Flags: wire.MetLabels, Sealed: make([]byte, 7)}),
			"labels that are too short":         short.Append(nil),
			"READY of another caller":           wire.Ready{ID: 1, Caller: did(2)}.Append(nil),
			"the answer to HOME":                wire.Home{Answer: true, Lifetime: time.Minute}.Append(nil),
			"a MEET that is cut":                meet(1, 2, label(1))[:20],
			"CANDIDATES, which go peer to peer": new(wire.Candidates).Append(nil),
			"an empty frame":                    nil,
		} {
			if d.frame(1, f) {
				t.Errorf("%s is for the hub", name)
			}
			d.wants()
		}
		for name, f := range map[string][]byte{
			"NOT_MET of a callee": wire.NotMet{ID: 1, Caller: did(2), Reason: 1}.Append(nil),
			"READY":               wire.Ready{ID: 1, Caller: did(1)}.Append(nil), "NOT_MET": wire.NotMet{ID: 1, Caller: did(1), Reason: 1}.Append(nil),
			"labels": relabel(1, 2, label(1), relay.Label{}),
		} {
			if !d.frame(1, f) {
				t.Errorf("%s is not for the hub", name)
			}
			d.wants()
		}
	})
}

// A peer is at home for as long as it asks, an hour at most, and no longer than its
// session.
func TestHomes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		for n, life := range map[int]time.Duration{1: 2 * time.Hour, 2: time.Minute} {
			if !d.frame(n, wire.Home{Lifetime: life}.Append(nil)) {
				t.Error("HOME is not for the hub")
			}
		}
		if sent := d.take(); len(sent) != 2 || !d.atHome(1, 2) || d.h.Status().Homes != 2 {
			t.Errorf("%q, or not at home", sent)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if !d.atHome(1) {
			t.Error("2 is at home after its time, or 1 is not")
		}
		d.h.Ended(did(1))
		if synctest.Wait(); !d.atHome() {
			t.Error("1 is at home without a session")
		}
	})
}

// A session that restarts knows nothing of its circuits: they end, and the other end
// is told.
func TestAnotherIncarnation(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		fromA, fromB := d.join(1, 1, 2)
		d.h.Up(did(2), static(1), d.paths[2]) // nothing has changed
		if d.wants(); d.passes(1, fromA, 2) == (relay.Label{}) {
			t.Error("the circuit is gone")
		}
		d.h.Up(did(2), static(2), d.paths[2])
		d.wants("1 NOT_MET 1 caller 1 reason 1")
		if d.labels.len() != 0 || d.passes(1, fromA, 2) != (relay.Label{}) || d.passes(2, fromB, 1) != (relay.Label{}) {
			t.Error("the circuit of the session before stands")
		}
		d.join(2, 1, 2)
	})
}

// A label that the node has in use for a record stays that record's; the circuit ends.
func TestALabelThatIsTaken(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		id := wire.RecordID(drawn(2))
		d.labels.taken[id] = true
		d.frame(1, meet(1, 2, label(1)))
		d.frame(2, met(1, 1, label(2)))
		if sent := d.take(); len(sent) != 4 || !slices.Contains(sent, "1 NOT_MET 1 caller 1 reason 1") {
			t.Errorf("%q", sent)
		}
		if d.h.Status().Circuits != 0 || d.labels.len() != 0 || !d.labels.taken[id] {
			t.Error("the circuit stands, or the record id is gone")
		}
		d.take()
		d.join(2, 1, 2)
	})
}

// A circuit without datagrams ends after some minutes; one with them stands.
func TestUnusedCircuitsEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2, 3)
		used, _ := d.join(1, 1, 2)
		d.join(2, 1, 3)
		for range 20 {
			time.Sleep(time.Minute)
			if d.passes(1, used, 2) == (relay.Label{}) {
				t.Fatal("a circuit in use has ended")
			}
		}
		if s := d.h.Status(); s.Circuits != 1 || s.Counts.Idle != 1 || d.labels.len() != 2 {
			t.Errorf("%+v, %d labels", s, d.labels.len())
		}
	})
}

// Off ends everything and refuses what is asked; on again, all is as before.
func TestOffDropsEverything(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2, 3)
		fromA, fromB := d.join(1, 1, 2)
		d.frame(3, wire.Home{Lifetime: time.Hour}.Append(nil))
		d.take()
		d.h.Configure(relay.Off, 0, 0)
		d.wants("1 NOT_MET 1 caller 1 reason 1", "2 NOT_MET 1 caller 1 reason 1")
		if d.labels.len() != 0 || !d.atHome() || d.passes(1, fromA, 2) != (relay.Label{}) || d.passes(2, fromB, 1) != (relay.Label{}) {
			t.Error("it forwards, or keeps a home")
		}
		time.Sleep(time.Second)
		d.frame(1, meet(2, 2, label(3)))
		d.frame(3, wire.Home{Lifetime: time.Hour}.Append(nil))
		d.wants("1 NOT_MET 2 caller 1 reason 1", "3 HOME answer true for 0s left 0")
		if s := d.h.Status(); s.Mode != relay.Off || s.Circuits != 0 || s.Homes != 0 || s.Peers != 3 {
			t.Errorf("%+v", s)
		}
		d.h.Configure(relay.Peers, 0, 0)
		time.Sleep(time.Second)
		d.join(3, 1, 2)
	})
	faults.Report(t, "N5", !t.Failed(), "both ends told, no label left, two datagrams of the circuit forwarded to nobody; later MEET and HOME refused, until relay is on again")
}

// Close leaves nothing in the table of record ids, and later calls do nothing.
func TestClose(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		fromA, _ := d.join(1, 1, 2)
		d.h.Close()
		d.h.Close()
		d.h.Up(did(3), static(1), nil)
		d.h.Path(did(1), newPath(link.KindDirect, remote(9)))
		d.h.Measured(did(1), time.Second)
		d.h.Configure(relay.Network, 1, 1)
		d.frame(1, meet(2, 2, label(3)))
		d.h.Ended(did(1))
		d.wants()
		if d.labels.len() != 0 || d.passes(1, fromA, 2) != (relay.Label{}) {
			t.Error("it forwards")
		}
	})
}
