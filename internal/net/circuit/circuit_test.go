package circuit

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// joined is two ends with a circuit between them, by a hub that changes labels.
func joined(t testing.TB) (a, b *end, ab, ba *Path) {
	a, b = newEnd(1), newEnd(2)
	legA, legB := newHubPath(link.KindDirect), newHubPath(link.KindDirect)
	ab, ba = a.open(t, new(Leg)), b.open(t, new(Leg))
	ab.Leg().Set(legA)
	ba.Leg().Set(legB)
	atHub, atHub2 := wire.MakeRecordID([7]byte{9}), wire.MakeRecordID([7]byte{8})
	ab.SendUnder(atHub)
	ba.SendUnder(atHub2)
	forward := func(under wire.RecordID, to *end, by link.Path, out func() wire.RecordID) func(*wire.Batch) {
		runs := make([][]byte, 0, 64)
		return func(d *wire.Batch) {
			runs = runs[:0]
			for i := range d.Len() {
				x := d.At(i)
				if l, _, ok := wire.CutCircuit(x); !ok || l != under {
					t.Fatalf("under label %x, want %x", l, under)
				}
				wire.PutCircuitHeader(x, out())
				runs = append(runs, x)
			}
			to.Records(by, runs)
		}
	}
	legA.to, legB.to = forward(atHub, b, legB, ba.Label), forward(atHub2, a, legA, ab.Label)
	return a, b, ab, ba
}

// SPEC 6.13: records and packets of QUIC travel whole, 8 bytes larger, and come by the
// circuit, in one call a run and in their order.
func TestACircuitCarriesRecordsAndQUIC(t *testing.T) {
	a, b, ab, ba := joined(t)
	recs := [][]byte{aRecord(100, 1), aRecord(100, 2), aRecord(60, 3)}
	if n, err := ab.Send(batchOf(recs...)); n != 3 || err != nil {
		t.Fatalf("%d sent, %v", n, err)
	}
	if len(b.got) != 1 || b.got[0].by != link.Path(ba) || !equal(b.got[0].inside, recs) {
		t.Fatalf("came: %+v", b.got)
	}
	packets := [][]byte{aPacket(1200, 1), aPacket(30, 2)}
	b.send(ba.Remote(), batchOf(packets...))
	if len(a.got) != 1 || a.got[0].from != ab.Remote() || !equal(a.got[0].inside, packets) {
		t.Fatalf("came: %+v", a.got)
	}
	if s := ab.Leg().Path().(*hubPath); s.calls != 1 {
		t.Errorf("%d calls for one batch", s.calls)
	}
	if sa, sb := a.Stats(), b.Stats(); sa.Sent != 3 || sb.Received != 3 || sb.Sent != 2 || sa.Received != 2 || len(sa.Dropped)+len(sb.Dropped) > 0 {
		t.Errorf("%+v, %+v", sa, sb)
	}
	if k := ab.Kind(); k != link.KindCircuit || ab.Room() != 1224 || ab.RTT() != 0 || ab.Hub() != [32]byte{7} || ab.Local().IsValid() {
		t.Errorf("%v, room %d, hub %x", k, ab.Room(), ab.Hub())
	}
	if ab.SetRoom(1444); ab.Room() != 1444 {
		t.Errorf("room %d", ab.Room())
	}
}

// Each class goes to whoever takes it; what is nothing of ours is counted, and so is
// QUIC where nobody takes it.
func TestWhatIsInsideIsSorted(t *testing.T) {
	b := newEnd(2)
	leg, by := new(Leg), newHubPath(link.KindDirect)
	leg.Set(by)
	p := b.open(t, leg)
	long := append([]byte{0xC0, 0, 0, 0, 1, 8}, make([]byte, 40)...)
	reset := aRecord(42, 1) // no id of ours: may be a stateless reset
	inside := [][]byte{aRecord(32, 1), aRecord(1444, 2), long, aPacket(9, 1), aRecord(99, 3), {0x41}, aPacket(8, 1), {0xC0, 0, 0, 0, 1, 21, 0}, reset, {0}}
	b.Records(by, under(p.Label(), inside...))
	want := []call{{by: p, inside: inside[:2]}, {from: p.Remote(), inside: inside[2:4]}, {by: p, inside: inside[4:5]}, {from: p.Remote(), inside: inside[8:9]}}
	if len(b.got) != len(want) {
		t.Fatalf("%d calls: %+v", len(b.got), b.got)
	}
	for i, w := range want {
		if g := b.got[i]; g.by != w.by || g.from != w.from || !equal(g.inside, w.inside) {
			t.Errorf("call %d: %+v, want %+v", i, g, w)
		}
	}
	b.wants(t, Malformed, 4)

	b.table.Put(idA, nil) // an epoch
	b.got = nil
	b.Records(by, under(p.Label(), reset))
	if len(b.got) != 1 || b.got[0].by != link.Path(p) {
		t.Errorf("a record of the size of a reset: %+v", b.got)
	}
	b.c.Network = nil
	b.Records(by, under(p.Label(), aPacket(100, 1)))
	b.wants(t, NoQUIC, 1)
	if p.Dropped() != 5 {
		t.Errorf("%d dropped of the circuit", p.Dropped())
	}
}

// SPEC 6.13: nothing leaves where the hub cannot be reached by a path that carries
// circuits, and that is no error: the leg will lead somewhere again.
func TestWithoutALegNothingLeaves(t *testing.T) {
	a := newEnd(1)
	leg := new(Leg)
	p, b := a.open(t, leg), batchOf(aRecord(100, 1), aRecord(100, 2))
	sends := func(what string, r Reason, dropped uint64) {
		t.Helper()
		if n, err := p.Send(b); n != 2 || err != nil {
			t.Errorf("%s: %d, %v", what, n, err)
		}
		a.wants(t, r, dropped)
	}
	sends("no leg", NoLeg, 2)
	leg.Set(bare{})
	sends("QUIC's datagrams", NoLeg, 4)
	leg.Set(p)
	if sends("a circuit", NoLeg, 6); leg.Path() != nil {
		t.Error("a circuit is a leg")
	}
	to := newHubPath(link.KindUTCP)
	leg.Set(to)
	sends("no label of the hub's", NoLabel, 2)
	p.SendUnder(wire.MakeRecordID([7]byte{5}))
	to.takes, to.err = 1, link.ErrClosed
	sends("a leg that has ended", NoLeg, 7)
	to.err = link.ErrQueueFull
	if n, err := p.Send(b); n != 1 || !errors.Is(err, link.ErrQueueFull) {
		t.Errorf("a full leg: %d, %v", n, err)
	}
	a.send(p.Remote(), b)
	a.wants(t, Full, 1)
	to.err = link.ErrTooBig
	if n, err := p.Send(b); n != 1 || !errors.Is(err, link.ErrTooBig) {
		t.Errorf("too big: %d, %v", n, err)
	}
	a.send(p.Remote(), b)
	a.wants(t, TooBig, 1)
	leg.Set(nil)
	sends("no leg any more", NoLeg, 9)
	if a.Stats().Sent != 5 {
		t.Errorf("%d sent", a.Stats().Sent)
	}
}

// A circuit that is closed is no path, and nothing is received by it; packets of QUIC
// for it are dropped without an error, which would end the connection.
func TestAClosedCircuit(t *testing.T) {
	a := newEnd(1)
	leg := new(Leg)
	leg.Set(newHubPath(link.KindDirect))
	p, other := a.open(t, leg), a.open(t, leg)
	if p.Remote() == other.Remote() || a.At(p.Remote()) != p || a.At(other.Remote()) != other {
		t.Fatal("two circuits have one address")
	}
	for range 2 {
		p.Close()
	}
	if n, err := p.Send(batchOf(aRecord(50, 1))); n != 0 || !errors.Is(err, link.ErrClosed) {
		t.Errorf("%d sent, %v", n, err)
	}
	if _, err := p.Relabel(); !errors.Is(err, link.ErrClosed) {
		t.Errorf("another label: %v", err)
	}
	a.send(p.Remote(), batchOf(aPacket(100, 1)))
	a.wants(t, Ended, 1)
	if a.At(p.Remote()) != nil || a.At(other.Remote()) != other || a.table.Len() != 1 {
		t.Errorf("%d labels are left", a.table.Len())
	}
}

// A virtual address is one of 100::/64, with a port that QUIC takes.
func TestVirtualAddresses(t *testing.T) {
	a := newEnd(1)
	seen := map[netip.AddrPort]bool{}
	for range 100 {
		v := a.open(t, new(Leg)).Remote()
		if !netip.MustParsePrefix("100::/64").Contains(v.Addr()) || v.Port() != 1 || seen[v] {
			t.Fatalf("address %v", v)
		}
		seen[v] = true
	}
}
