package frames

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A taker notes how many datagrams come under its label in one call.
type taker []int

func (x *taker) Datagrams(_ link.Path, datagrams [][]byte) { *x = append(*x, len(datagrams)) }

// A hub path leads to a hub, and carries circuit datagrams into a table.
type hubPath struct {
	path
	label wire.RecordID
	to    *Planes
}

func (p *hubPath) Remote() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.9:4242") }

func (p *hubPath) Forward(b *wire.Batch) (int, error) {
	for _, d := range b.Slices() {
		wire.PutCircuitHeader(d, p.label)
	}
	p.to.Records(p, b.Slices())
	return b.Len(), nil
}

// Labels stand in the table of record ids, and a run of one label is one call.
func TestLabelsOfPlanes(t *testing.T) {
	_, receive := ends(t)
	planes, x, p := new(Planes), new(taker), &path{room: 2000}
	plane := planes.New(new(session), link.QueueLimits{})
	if err := plane.Install(receive, false); err != nil {
		t.Fatal(err)
	}
	label, other := wire.MakeRecordID([7]byte{1, 1}), wire.MakeRecordID([7]byte{1, 2})
	if planes.PutLabel(label, x) != nil || !planes.Known(label) || !errors.Is(planes.PutLabel(receive.RecvID(), x), record.ErrTaken) {
		t.Fatal("a label is not entered, or takes the place of an epoch")
	}
	d := wire.AppendCircuit(nil, label, []byte{1})
	planes.Records(p, [][]byte{d, d, wire.AppendCircuit(nil, other, []byte{1}), d, {}})
	if !slices.Equal(*x, []int{2, 1}) {
		t.Errorf("runs of %v", *x)
	}
	planes.DeleteLabel(label)
	planes.DeleteLabel(receive.RecvID())
	if planes.Known(label) || !planes.Known(receive.RecvID()) {
		t.Error("a label stays, or an epoch was taken out as one")
	}
}

// A frame that leaves by a circuit comes by it; a circuit in a circuit does not come,
// and a record without its label neither.
func TestFramesThroughACircuit(t *testing.T) {
	send, receive := endsOf(t, true)
	planes, s := new(Planes), new(session)
	plane := planes.New(s, link.QueueLimits{})
	if err := plane.Install(receive, false); err != nil {
		t.Fatal(err)
	}
	x := circuit.New(circuit.Config{Labels: planes, Handler: planes, Rand: rand.NewChaCha8([32]byte{1})})
	p, err := x.Open([32]byte{}, new(circuit.Leg))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	hub := &hubPath{label: p.Label(), to: planes}
	p.Leg().Set(hub)
	p.SendUnder(p.Label())
	if err := Send(send, p, p.Kind().Space, large()); err != nil || len(s.frames) != 1 || s.opened != 1 {
		t.Fatalf("%v, %d frames", err, len(s.frames))
	}
	var rec wire.Batch
	if err := send.Seal(&rec, wire.SpaceCircuit, [][]byte{large()}); err != nil {
		t.Fatal(err)
	}
	planes.Records(hub, [][]byte{wire.AppendCircuit(nil, p.Label(), wire.AppendCircuit(nil, p.Label(), rec.At(0)))})
	planes.Records(hub, rec.Slices())
	if d := plane.Traffic().Drops(); len(s.frames) != 1 || d["malformed"] != 1 {
		t.Errorf("%d frames, %v", len(s.frames), d)
	}
	planes.Records(hub, [][]byte{wire.AppendCircuit(nil, p.Label(), rec.At(0))})
	if len(s.frames) != 2 {
		t.Error("it was no good record")
	}
}
