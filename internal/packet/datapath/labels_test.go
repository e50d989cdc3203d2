package datapath

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// A taker notes the runs that come under its label.
type taker struct {
	runs  []int
	by    []link.Path
	panic bool
}

func (x *taker) Datagrams(p link.Path, datagrams [][]byte) {
	if x.panic {
		panic("datapath: internal error: a test")
	}
	x.runs, x.by = append(x.runs, len(datagrams)), append(x.by, p)
}

var (
	labelX = wire.MakeRecordID([7]byte{0xA1})
	labelY = wire.MakeRecordID([7]byte{0xA2})
)

func under(l wire.RecordID, inside []byte) []byte { return wire.AppendCircuit(nil, l, inside) }

// One look-up a run tells labels from record ids; whoever has a label gets each run of
// it in one call, however short the datagrams are, and records pass as before.
func TestLabelsAndEpochsShareATable(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	x, y := new(taker), new(taker)
	if err := errors.Join(b.data.PutLabel(labelX, x), b.data.PutLabel(labelY, y)); err != nil {
		t.Fatal(err)
	}
	if err := b.data.PutLabel(b.e.RecvID(), x); !errors.Is(err, record.ErrTaken) {
		t.Errorf("a label that is a record id in use: %v", err)
	}
	if err := b.data.PutLabel(labelX, y); !errors.Is(err, record.ErrTaken) {
		t.Errorf("a label in use: %v", err)
	}
	b.data.DeleteLabel(b.e.RecvID())
	if !b.data.Known(b.e.RecvID()) || !b.data.Known(labelX) {
		t.Error("a record id or a label is not known")
	}
	want := packet(addrA, addrB, 100, 1)
	var sealed wire.Batch
	if err := a.e.Seal(&sealed, wire.SpaceDatagram, [][]byte{want}); err != nil {
		t.Fatal(err)
	}
	b.data.Records(b.path, [][]byte{under(labelX, []byte{1}), under(labelX, make([]byte, 1400)), under(labelY, []byte{1, 2}), sealed.At(0),
		under(labelX, []byte{3}), under(labelX, nil), under(wire.MakeRecordID([7]byte{0xA3}), make([]byte, 60)), {0x40}, nil})
	if !bytes.Equal(b.next(t), want) {
		t.Error("another packet came out")
	}
	if len(x.runs) != 2 || x.runs[0] != 2 || x.runs[1] != 1 || len(y.runs) != 1 || y.runs[0] != 1 || x.by[0] != link.Path(b.path) {
		t.Errorf("runs of %v and %v", x.runs, y.runs)
	}
	if n := b.data.Stray().Drops()["unknown_id"]; n != 4 {
		t.Errorf("%d unknown", n)
	}
	b.data.DeleteLabel(labelX)
	b.data.DeleteLabel(labelX)
	if b.data.Known(labelX) || !b.data.Known(labelY) {
		t.Error("a label that was deleted is known, or another is not")
	}
}

// A defect that a circuit's datagrams meet costs these alone.
func TestDefectUnderALabelIsRecovered(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	var log bytes.Buffer
	b.data.Guard(guard.New(slog.New(slog.NewTextHandler(&log, nil))))
	if err := b.data.PutLabel(labelX, &taker{panic: true}); err != nil {
		t.Fatal(err)
	}
	good := packet(addrA, addrB, 60, 3)
	var sealed wire.Batch
	if err := a.e.Seal(&sealed, wire.SpaceDatagram, [][]byte{good}); err != nil {
		t.Fatal(err)
	}
	b.data.Records(b.path, [][]byte{under(labelX, []byte{1}), sealed.At(0)})
	if !bytes.Equal(b.next(t), good) || !strings.Contains(log.String(), "circuits") {
		t.Errorf("no packet, or nothing is said: %s", &log)
	}
}

// A hubPath carries circuit datagrams to the other end at once.
type hubPath struct {
	*pipe
	out  func() wire.RecordID
	recs [][]byte
}

func (p *hubPath) Kind() *link.Kind       { return link.KindDirect }
func (p *hubPath) Remote() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.9:4242") }

func (p *hubPath) Forward(b *wire.Batch) (int, error) {
	p.recs = p.recs[:0]
	for i := range b.Len() {
		wire.PutCircuitHeader(b.At(i), p.out())
		p.recs = append(p.recs, b.At(i))
	}
	p.to(p, p.recs)
	return b.Len(), nil
}

// circuits joins two sides by a circuit, in both directions, and makes them use it.
func circuits(t testing.TB, a, b *side) (atA, atB *circuit.Path) {
	t.Helper()
	enter := func(s *side, seed byte) *circuit.Path {
		x := circuit.New(circuit.Config{Labels: s.data, Handler: s.data, Rand: rand.NewChaCha8([32]byte{seed})})
		p, err := x.Open([32]byte{9}, new(circuit.Leg))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		p.SetRoom(1452)
		return p
	}
	atA, atB = enter(a, 1), enter(b, 2)
	atA.Leg().Set(&hubPath{pipe: a.path, out: atB.Label})
	atB.Leg().Set(&hubPath{pipe: b.path, out: atA.Label})
	atA.SendUnder(labelX)
	atB.SendUnder(labelY)
	for _, s := range []*side{a, b} {
		if s.data.Known(s.e.RecvID()) {
			continue
		}
		if err := s.peer.Install(s.e, false); err != nil {
			t.Fatal(err)
		}
	}
	a.peer.Use(a.e, atA)
	b.peer.Use(b.e, atB)
	return atA, atB
}

// Packets travel through a hub as on any path, and are counted as the circuit's.
func TestPacketsThroughACircuit(t *testing.T) {
	a, b := newPair(t, 1452)
	_, atB := circuits(t, a, b)
	for i := range uint32(100) {
		want := packet(addrA, addrB, 60+int(i)*13, i)
		if err := a.dev.Inject(bytes.Clone(want)); err != nil {
			t.Fatal(err)
		}
		if got := b.next(t); !bytes.Equal(got, want) {
			t.Fatalf("packet %d: %d bytes, want %d", i, len(got), len(want))
		}
	}
	carried := func(s *side) link.Moved { return s.peer.Traffic().Carried()[link.KindCircuit.Name] }
	wait(t, func() bool { // a packet is counted once it has been passed on, by either end
		return carried(a).TxPackets >= 100 && carried(b).RxPackets >= 100
	})
	if sent, came := carried(a), carried(b); sent.TxPackets != 100 || came.RxPackets != 100 || a.peer.Traffic().Total().TxPackets != 100 {
		t.Errorf("sent %+v, came %+v", sent, came)
	}
	if b.peer.Traffic().HeardOn(atB).IsZero() {
		t.Error("not heard on the circuit")
	}
}

// SPEC 6.13, R-6.13-10: a hub that takes the label off does not pass for an address of
// the peer, and a record of another carrier does not come by a circuit. Control is the
// same everywhere.
func TestRecordsComeByTheirOwnKindOfPath(t *testing.T) {
	a, b := newPair(t, 1452)
	_, atB := circuits(t, a, b)
	sealed := func(s wire.Space) []byte {
		var out wire.Batch
		if err := a.e.Seal(&out, s, [][]byte{packet(addrA, addrB, 100, 1)}); err != nil {
			t.Fatal(err)
		}
		return out.At(0)
	}
	malformed := uint64(0)
	for _, c := range []struct {
		what  string
		by    link.Path
		space wire.Space
		taken bool
	}{
		{"a circuit's record without its label", b.path, wire.SpaceCircuit, false},
		{"a direct record through the hub", atB, wire.SpaceDirect, false},
		{"control through the hub", atB, wire.SpaceControl, true},
		{"control beside the hub", b.path, wire.SpaceControl, true},
		{"a circuit's record", atB, wire.SpaceCircuit, true},
	} {
		b.data.Records(c.by, [][]byte{sealed(c.space)})
		if c.taken {
			b.next(t)
		} else {
			malformed++
			b.silent(t)
		}
		if n := b.peer.Traffic().Drops()["malformed"]; n != malformed {
			t.Errorf("%s: %d malformed, want %d", c.what, n, malformed)
		}
	}
}

// A circuit in a circuit ends there, whoever's it is.
func TestNoCircuitInACircuit(t *testing.T) {
	a, b := newPair(t, 1452)
	_, atB := circuits(t, a, b)
	other := new(taker)
	if err := b.data.PutLabel(labelX, other); err != nil {
		t.Fatal(err)
	}
	inner := under(labelX, make([]byte, 100))
	own := under(atB.Label(), make([]byte, 100))
	hub := atB.Leg().Path()
	b.data.Records(hub, [][]byte{under(atB.Label(), inner), under(atB.Label(), own)})
	if n := b.data.Stray().Drops()["unknown_id"]; n != 2 || len(other.runs) > 0 {
		t.Errorf("%d dropped, and %d runs were passed on", n, len(other.runs))
	}
	b.data.Records(hub, [][]byte{under(labelX, make([]byte, 100))})
	if len(other.runs) != 1 {
		t.Error("not even without the circuit around it")
	}
}

// Through a circuit nothing is allocated either, from one device to the other.
func TestCircuitLoopsDoNotAllocate(t *testing.T) {
	a, b := newPairOn(t, 1452, nullOffload{nullDevice{make(chan struct{})}}, nullOffload{nullDevice{make(chan struct{})}})
	circuits(t, a, b)
	super := newFlow(false, 4000, 12, 1368).next(45*1368, 0)
	batch := tun.NewBatch(4, packetSize, tun.Headroom)
	var out outbound
	if n := testing.AllocsPerRun(50, func() {
		batch.Reset()
		copy(batch.Room()[tun.Headroom:], super.Buf)
		batch.Put(super)
		a.data.send(batch.Packets[:1], &out)
	}); n != 0 {
		t.Errorf("45 segments allocate %v times", n)
	}
	if got := b.peer.Traffic().Total().RxPackets; got < 45*50 {
		t.Fatalf("only %d packets were written: %v, %v", got, b.peer.Traffic().Drops(), b.data.Stray().Drops())
	}
}
