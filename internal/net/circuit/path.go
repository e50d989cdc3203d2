package circuit

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Path is one circuit. Its virtual address stays the same, whatever its labels are
// and by whatever path its leg leads.
type Path struct {
	x       *Circuits
	hub     [wire.DigestSize]byte
	leg     *Leg
	virtual netip.AddrPort

	room    atomic.Int64
	header  atomic.Uint64 // of what leaves, big-endian; 0: the hub's label is not known
	dropped atomic.Uint64
	closed  atomic.Bool

	mu  sync.Mutex // one Relabel or Close at a time
	own labels
}

var (
	_ link.Circuit          = (*Path)(nil)
	_ link.DatagramReceiver = (*Path)(nil)
)

// Kind implements link.Path.
func (p *Path) Kind() *link.Kind { return link.KindCircuit }

// Local implements link.Path. A circuit leaves from no address of its own.
func (p *Path) Local() netip.AddrPort { return netip.AddrPort{} }

// Remote is the virtual address.
func (p *Path) Remote() netip.AddrPort { return p.virtual }

// Room is the largest record that has been proven, bytes.
func (p *Path) Room() int { return int(p.room.Load()) }

// SetRoom implements link.Direct.
func (p *Path) SetRoom(bytes int) { p.room.Store(int64(bytes)) }

// RTT implements link.Path: a circuit has no estimate of its own.
func (p *Path) RTT() time.Duration { return 0 }

// Hub implements link.Circuit.
func (p *Path) Hub() [wire.DigestSize]byte { return p.hub }

// Leg is the way to the hub.
func (p *Path) Leg() *Leg { return p.leg }

// Dropped counts the datagrams of the circuit that were dropped here.
func (p *Path) Dropped() uint64 { return p.dropped.Load() }

// SendUnder names the label under which the hub receives from now on.
func (p *Path) SendUnder(label wire.RecordID) {
	var b [wire.CircuitHeaderSize]byte
	wire.PutCircuitHeader(b[:], label)
	p.header.Store(binary.BigEndian.Uint64(b[:]))
}

// Send hands records, each in a circuit datagram, to the leg's path in one call. The
// errors are that path's. Without a path or a label nothing leaves and it is no error,
// because that passes: the records are counted. link.ErrClosed after Close.
func (p *Path) Send(recs *wire.Batch) (int, error) {
	if p.closed.Load() {
		return 0, link.ErrClosed
	}
	w, header := p.leg.now.Load(), p.header.Load()
	switch {
	case w == nil || w.forward == nil:
		p.drop(NoLeg, recs.Len())
		return recs.Len(), nil
	case header == 0:
		p.drop(NoLabel, recs.Len())
		return recs.Len(), nil
	}
	b := p.x.borrow()
	wrap(b, header, recs)
	n, err := w.forward.Forward(b)
	p.x.giveBack(b)
	p.x.count.sent.Add(uint64(n))
	if errors.Is(err, link.ErrClosed) { // the session with the hub takes another one
		p.drop(NoLeg, recs.Len()-n)
		return recs.Len(), nil
	}
	return n, err
}

// wrap appends records with a header each.
func wrap(b *wire.Batch, header uint64, recs *wire.Batch) {
	from := 0
	for _, end := range recs.Ends {
		b.Buf = binary.BigEndian.AppendUint64(b.Buf, header)
		b.Buf = append(b.Buf, recs.Buf[from:end]...)
		b.Ends = append(b.Ends, len(b.Buf))
		from = end
	}
}

// Close ends the circuit: its labels and its virtual address name nothing any more.
// Its second call does nothing.
func (p *Path) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Swap(true) {
		return
	}
	p.own.clear(p.x.c.Labels)
	p.x.forget(p)
}

func (p *Path) drop(r Reason, n int) {
	p.dropped.Add(uint64(n))
	p.x.count.drop(r, n)
}
