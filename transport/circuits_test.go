package transport

import (
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// A party is a node on loopback whose labels are looked up as in the product. Records
// that are no circuit datagrams go to its inbox.
type party struct {
	*node
	*circuit.Circuits
	labels record.Table[link.DatagramReceiver]
}

func newParty(t testing.TB) *party {
	p := &party{node: startNode(t, loopback)}
	p.Handle(p)
	p.Circuits = circuit.New(circuit.Config{Labels: p, Network: p, Handler: p, Rand: rand.Reader})
	return p
}

func (p *party) PutLabel(l wire.RecordID, r link.DatagramReceiver) error { return p.labels.Put(l, r) }
func (p *party) DeleteLabel(l wire.RecordID)                             { p.labels.Delete(l) }
func (p *party) Unreachable(netip.AddrPort)                              {}

func (p *party) Known(id wire.RecordID) bool {
	_, label := p.labels.Get(id)
	return label || p.in.Known(id)
}

func (p *party) Records(by link.Path, recs [][]byte) {
	for len(recs) > 0 {
		id, n := wire.RunOf(recs)
		if r, ok := p.labels.Get(id); ok {
			r.Datagrams(by, recs[:n])
		} else {
			p.in.Records(by, recs[:n])
		}
		recs = recs[n:]
	}
}

// A forward is a hub's half of a circuit: what comes leaves with another label.
type forward struct {
	to    link.Forwarder
	label wire.RecordID
}

func (f *forward) Datagrams(_ link.Path, datagrams [][]byte) {
	var b wire.Batch
	for _, d := range datagrams {
		wire.PutCircuitHeader(d, f.label)
		b.Append(d)
	}
	f.to.Forward(&b)
}

// join gives two parties a circuit through a hub, over direct legs.
func join(t testing.TB, hub, a, b *party) (ab, ba *circuit.Path) {
	t.Helper()
	open := func(p *party) *circuit.Path {
		leg := new(circuit.Leg)
		leg.Set(p.Direct(hub.LocalAddr()))
		c, err := p.Open([32]byte{1}, leg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	half := func(from, to *circuit.Path, at *party) {
		label := hub.Draw()
		if err := hub.PutLabel(label, &forward{hub.Direct(at.LocalAddr()).(link.Forwarder), to.Label()}); err != nil {
			t.Fatal(err)
		}
		from.SendUnder(label)
	}
	ab, ba = open(a), open(b)
	half(ab, ba, b)
	half(ba, ab, a)
	return ab, ba
}

// The whole way: QUIC and records through a circuit whose datagrams a hub forwards over
// UDP, and the direct path afterwards by the circuit's ticket.
func TestQUICThroughAHubOverUDP(t *testing.T) {
	hub, a, b := newParty(t), newParty(t), newParty(t)
	ab, ba := join(t, hub, a, b)
	ctx := link.DialFor(records.Context(t), [32]byte{7})
	accepted := make(chan link.Conn, 1)
	go func() {
		c, _ := b.Accept(ctx)
		accepted <- c
	}()
	ca, err := a.Dial(ctx, wire.LinkQUIC, ab.Remote())
	if err != nil {
		t.Fatal(err)
	}
	cb := <-accepted
	if cb == nil || cb.Remote() != ba.Remote() || a.At(ca.Remote()) != ab {
		t.Fatalf("accepted %v", cb)
	}
	if err := talk(ctx, ca, cb, 1<<20); err != nil {
		t.Fatal(err)
	}
	rec := records.New(1200, 1)
	b.in.Know(rec)
	records.Eventually(t, 30*time.Second, "a record", func() bool {
		ab.Send(records.Batch(rec))
		time.Sleep(5 * time.Millisecond)
		return b.in.Len() > 0
	})
	if !early(t, ctx, a.node, b.node, b.LocalAddr()) {
		t.Error("the direct path did not resume")
	}
	ab.Close()
	if _, err := ca.OpenStream(ctx); err != nil || ca.Err() != nil {
		t.Error("the end of the circuit ended its connection:", err, ca.Err())
	}
}
