package hub

import (
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// run is n datagrams of a size under a label, one after another in one buffer as the
// kernel puts them together.
func run(l relay.Label, n, size int) (all [][]byte) {
	buf := make([]byte, n*size)
	for i := range n {
		d := buf[i*size : (i+1)*size : (i+1)*size]
		wire.PutCircuitHeader(d, wire.RecordID(l))
		d[wire.CircuitHeaderSize] = byte(i)
		all = append(all, d)
	}
	return all
}

// Only what comes from the leg of the end that has the label is forwarded. SPEC
// R-6.13-12.
func TestTheSourceIsChecked(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2, 3)
		fromA, fromB := d.join(1, 1, 2)
		in := datagram(fromA, []byte("inside"))
		for name, p := range map[string]link.Path{
			"a stranger":          newPath(link.KindDirect, remote(77)),
			"another peer":        d.paths[3],
			"the other end":       d.paths[2],
			"the address, by TCP": newPath(link.KindUTCP, remote(1)),
		} {
			d.labels.receive(p, in)
			if n, _ := d.paths[2].counted(); n.Datagrams != 0 {
				t.Fatalf("what %s sends is forwarded", name)
			}
		}
		if s := d.h.Status(); s.Dropped["wrong_source"].Datagrams != 4 || s.Received.Datagrams != 0 {
			t.Errorf("%+v", s)
		}
		// The path is another object, the place is the same.
		d.labels.receive(newPath(link.KindDirect, remote(1)), in)
		if n, _ := d.paths[2].counted(); n.Datagrams != 1 || d.passes(2, fromB, 1) != label(102) {
			t.Error("what the ends send is not forwarded")
		}
		d.wants()
	})
}

// A run leaves with one call, each datagram under the other label and else unchanged.
func TestARunLeavesWithOneCall(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		fromA, _ := d.join(1, 1, 2)
		next := 0
		d.paths[2].take = func(b []byte) {
			if id, inside, ok := wire.CutCircuit(b); !ok || relay.Label(id) != label(201) || int(inside[0]) != next || len(b) != 1208 {
				t.Errorf("datagram %d: %x, %d bytes, number %d", next, id, len(b), inside[0])
			}
			next++
		}
		d.labels.receive(d.paths[1], run(fromA, 45, 1208)...)
		n, calls := d.paths[2].counted()
		if calls != 1 || n != (relay.Traffic{Datagrams: 45, Bytes: 45 * 1208}) {
			t.Errorf("%+v in %d calls", n, calls)
		}
		if s := d.h.Status(); s.Sent != n || s.Received != n {
			t.Errorf("%+v", s)
		}
	})
}

// The legs of a circuit may be of different kinds. One that carries no circuits, and
// none at all, drop.
func TestLegsOfAllKinds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		fromA, fromB := d.join(1, 1, 2)
		d.moves(2, link.KindUTCP, remote(22))
		if d.passes(1, fromA, 2) == (relay.Label{}) {
			t.Error("direct to utcp: nothing comes")
		}
		if d.passes(2, fromB, 1) == (relay.Label{}) {
			t.Error("utcp to direct: nothing comes")
		}
		d.h.Path(did(2), &plain{link.KindDatagram, remote(2)})
		d.passes(1, fromA, 2)
		d.h.Path(did(2), nil)
		d.passes(1, fromA, 2)
		d.passes(2, fromB, 1)
		if s := d.h.Status(); s.Dropped["no_leg"].Datagrams != 2 || s.Dropped["wrong_source"].Datagrams != 1 || s.Sent.Datagrams != 2 {
			t.Errorf("%+v", s)
		}
		d.h.Path(did(2), d.paths[2])
		if d.passes(1, fromA, 2) == (relay.Label{}) {
			t.Error("nothing comes when the path is back")
		}
		release := d.busy()
		d.h.Ended(did(2)) // the hub has not looked yet
		if d.passes(1, fromA, 2) != (relay.Label{}) || d.passes(2, fromB, 1) != (relay.Label{}) {
			t.Error("something passes to or from a session that has ended")
		}
		release()
	})
}

// What a path does not take is dropped and counted, not kept.
func TestAPathThatTakesNoMore(t *testing.T) {
	for err, reason := range map[error]string{link.ErrQueueFull: "queue_full", link.ErrTooBig: "too_big", link.ErrClosed: "no_leg"} {
		bubble.Test(t, func(t *testing.T) {
			d := newDesk(t, relay.Peers, 0, 0)
			d.up(1, 2)
			fromA, _ := d.join(1, 1, 2)
			d.paths[2].room, d.paths[2].err = 3, err
			d.labels.receive(d.paths[1], run(fromA, 10, 100)...)
			s := d.h.Status()
			if s.Sent != (relay.Traffic{Datagrams: 3, Bytes: 300}) || s.Dropped[reason] != (relay.Traffic{Datagrams: 7, Bytes: 700}) {
				t.Errorf("%v: %+v", err, s)
			}
		})
	}
}

// When the hub's path to an end moves, so do both labels of the leg; what is under way
// passes for a while, and the source is the new place at once.
func TestALegMoves(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		fromA, fromB := d.join(1, 1, 2)
		was := d.moves(2, link.KindDirect, remote(22))
		now := drawn(3)
		d.wants("2 MET 1 other 1 label ff000000000003 flags 03 rtt 0s sealed " + hex(label(201)))
		if d.passes(2, fromB, 1) != label(102) || d.passes(2, now, 1) != label(102) || d.passes(1, fromA, 2) != label(201) {
			t.Error("something does not pass while the leg moves")
		}
		d.labels.receive(was, datagram(now, []byte("inside")))
		if n := d.h.Status().Dropped["wrong_source"].Datagrams; n != 1 {
			t.Errorf("%d dropped from the old place", n)
		}
		time.Sleep(200 * time.Millisecond)
		d.frame(2, relabel(1, 1, label(9), now))
		d.wants("2 MET 1 other 1 label ff000000000003 flags 03 rtt 0s sealed " + hex(label(9)))
		if out := d.passes(1, fromA, 2); out != label(9) {
			t.Errorf("it leaves under %x", out)
		}
		time.Sleep(6 * time.Second)
		if d.wants(); d.passes(2, fromB, 1) != (relay.Label{}) || d.passes(2, now, 1) != label(102) || d.labels.len() != 2 {
			t.Error("the label before the move is received, or the new one is not")
		}
		d.moves(2, link.KindDirect, remote(22)) // another object for the same place
		d.wants()
	})
}

func hex(l relay.Label) string {
	const digits = "0123456789abcdef"
	s := ""
	for _, b := range l {
		s += digits[b>>4:b>>4+1] + digits[b&15:b&15+1]
	}
	return s
}

// Moves that come while the hub is busy are one.
func TestManyMovesAreOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2)
		d.join(1, 1, 2)
		release := d.busy()
		for n := range 1000 {
			d.h.Path(did(2), newPath(link.KindDirect, remote(100+n)))
			d.h.Measured(did(2), time.Duration(n)*time.Millisecond)
		}
		release()
		d.wants("2 MET 1 other 1 label ff000000000003 flags 03 rtt 0s sealed " + hex(label(201)))
		time.Sleep(200 * time.Millisecond)
		d.frame(1, meet(1, 2, label(102)))
		d.frame(2, met(1, 1, label(201)))
		sent := d.take()
		if last := sent[len(sent)-1]; !strings.HasPrefix(last, "1 MET 1 other 2 ") || !strings.Contains(last, "rtt 999ms") {
			t.Errorf("%q", sent)
		}
	})
}

// Forwarding allocates nothing.
func TestForwardingDoesNotAllocate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 1<<40, 1<<40)
		d.up(1, 2)
		fromA, _ := d.join(1, 1, 2)
		all := run(fromA, 45, 1408)
		e := d.labels.all[wire.RecordID(fromA)]
		if n := testing.AllocsPerRun(100, func() { e.Datagrams(d.paths[1], all) }); n != 0 {
			t.Errorf("%v allocations a run", n)
		}
		if n := testing.AllocsPerRun(100, func() { e.Datagrams(d.paths[2], all) }); n != 0 {
			t.Errorf("%v allocations for a wrong source", n)
		}
	})
}
