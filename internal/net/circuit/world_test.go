package circuit

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An end is a node with circuits: what its table and its QUIC get is noted.
type end struct {
	*Circuits
	table record.Table[link.DatagramReceiver] // nil for a record id of an epoch
	send  func(to netip.AddrPort, packets *wire.Batch)
	got   []call
	quiet bool // note nothing
}

// A call is what came in one call: records by a path, or packets of QUIC.
type call struct {
	by     link.Path
	from   netip.AddrPort
	inside [][]byte
}

func newEnd(seed uint64) *end {
	e := new(end)
	e.Circuits = New(Config{Labels: e, Network: e, Handler: e, Rand: random(seed)})
	return e
}

// random is the same bytes for the same seed.
func random(seed uint64) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{byte(seed)}) }

func (e *end) PutLabel(l wire.RecordID, r link.DatagramReceiver) error { return e.table.Put(l, r) }
func (e *end) DeleteLabel(l wire.RecordID)                             { e.table.Delete(l) }
func (e *end) Unreachable(netip.AddrPort)                              {}
func (e *end) Known(id wire.RecordID) bool                             { _, ok := e.table.Get(id); return ok }

// Records passes circuit datagrams on and notes records.
func (e *end) Records(p link.Path, recs [][]byte) {
	id, n := wire.RunOf(recs)
	if r, _ := e.table.Get(id); r != nil && n == len(recs) {
		r.Datagrams(p, recs)
	} else if !e.quiet {
		e.got = append(e.got, call{by: p, inside: clone(recs)})
	}
}

func (e *end) HandleVirtual(send func(to netip.AddrPort, packets *wire.Batch)) { e.send = send }

func (e *end) ReceiveVirtual(from netip.AddrPort, packets [][]byte) {
	if !e.quiet {
		e.got = append(e.got, call{from: from, inside: clone(packets)})
	}
}

func clone(all [][]byte) (out [][]byte) {
	for _, b := range all {
		out = append(out, bytes.Clone(b))
	}
	return out
}

// open opens a circuit over a leg.
func (e *end) open(t testing.TB, leg *Leg) *Path {
	t.Helper()
	p, err := e.Open([32]byte{7}, leg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wants says that something was dropped n times in all, and forgets nothing.
func (e *end) wants(t testing.TB, r Reason, n uint64) {
	t.Helper()
	if got := e.Stats().Dropped[r.String()]; got != n {
		t.Errorf("%v: %d dropped, want %d", r, got, n)
	}
}

// A hubPath is the path to a hub, which keeps what is forwarded and may pass it on.
type hubPath struct {
	kind   *link.Kind
	remote netip.AddrPort
	to     func(datagrams *wire.Batch)
	sent   [][]byte
	calls  int
	takes  int   // of each call; negative: all
	err    error // for the rest
}

var hubAt = netip.MustParseAddrPort("192.0.2.9:4242")

func newHubPath(k *link.Kind) *hubPath { return &hubPath{kind: k, remote: hubAt, takes: -1} }

func (p *hubPath) Kind() *link.Kind                { return p.kind }
func (p *hubPath) Local() netip.AddrPort           { return netip.AddrPort{} }
func (p *hubPath) Remote() netip.AddrPort          { return p.remote }
func (p *hubPath) Room() int                       { return 1452 }
func (p *hubPath) RTT() time.Duration              { return 0 }
func (p *hubPath) Send(b *wire.Batch) (int, error) { panic("records to the hub") }

func (p *hubPath) Forward(b *wire.Batch) (int, error) {
	p.calls++
	if p.to != nil {
		p.to(b)
		return b.Len(), nil
	}
	n := b.Len()
	if p.takes >= 0 {
		n = min(n, p.takes)
	}
	p.sent = append(p.sent, clone(b.Slices()[:n])...)
	if n < b.Len() {
		return n, p.err
	}
	return n, nil
}

// A bare path carries no circuit datagrams.
type bare struct{ link.Path }

func (bare) Kind() *link.Kind       { return link.KindDatagram }
func (bare) Remote() netip.AddrPort { return hubAt }

// ids of records, in use nowhere unless a test says so.
var idA = wire.MakeRecordID([7]byte{1, 2, 3})

// aRecord has the form of a record of n bytes of circuits.
func aRecord(n int, counter uint64) []byte {
	b := make([]byte, n)
	wire.PutHeader(b, idA, counter, wire.SpaceCircuit)
	return b
}

// aPacket has the form of a short packet of QUIC.
func aPacket(n int, mark byte) []byte {
	return append([]byte{0x41, 0x11, mark}, make([]byte, n-3)...)
}

func batchOf(all ...[]byte) *wire.Batch {
	b := new(wire.Batch)
	for _, x := range all {
		b.Append(x)
	}
	return b
}

// under wraps datagrams as a hub sends them.
func under(l wire.RecordID, all ...[]byte) (out [][]byte) {
	for _, x := range all {
		out = append(out, wire.AppendCircuit(nil, l, x))
	}
	return out
}

func equal(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
