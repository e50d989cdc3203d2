package frames

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Planes are the packet sides of peers without a TUN device: frames are carried, IP
// packets are counted and dropped. They take the records of a network as its
// handler. The packet loops of a node are internal/packet/datapath's.
type Planes struct{ ids record.Table[named] }

// A named is what a record id names: an epoch, or, as a label, who takes the
// datagrams of a circuit.
type named struct {
	epoch *receiving
	label link.DatagramReceiver
}

var (
	_ link.Handler = (*Planes)(nil)
	_ link.Labels  = (*Planes)(nil)
)

// receiving is an epoch that records may arrive under.
type receiving struct {
	plane *plane
	live  *awake
	epoch *record.Epoch
	held  link.Held   // until the peer is proven
	heard atomic.Bool // a record has been opened
}

// A plane is the packet side of one peer without packets.
type plane struct {
	all    *Planes
	sink   link.Sink
	counts link.Counters[awake, *awake]
}

// awake is what a plane has while its session is awake.
type awake struct {
	traffic link.Traffic
	halves  link.Reassembly
}

// Traffic implements link.Counters.
func (a *awake) Traffic() *link.Traffic { return &a.traffic }

// New makes the plane of one peer; it queues nothing.
func (a *Planes) New(sink link.Sink, _ link.QueueLimits) link.Plane {
	return &plane{all: a, sink: sink}
}

// Known implements link.Handler.
func (a *Planes) Known(id wire.RecordID) bool {
	_, ok := a.ids.Get(id)
	return ok
}

// Unreachable implements link.Handler.
func (a *Planes) Unreachable(netip.AddrPort) {}

// Records implements link.Handler.
func (a *Planes) Records(p link.Path, recs [][]byte) {
	for len(recs) > 0 {
		id, n := wire.RunOf(recs)
		switch x, _ := a.ids.Get(id); {
		case x.epoch != nil:
			for _, rec := range recs[:n] {
				x.epoch.take(p, rec)
			}
		case x.label != nil && !p.Kind().Relayed: // a circuit in a circuit is dropped
			x.label.Datagrams(p, recs[:n])
		}
		recs = recs[n:]
	}
}

// PutLabel implements link.Labels.
func (a *Planes) PutLabel(label wire.RecordID, r link.DatagramReceiver) error {
	return a.ids.Put(label, named{label: r})
}

// DeleteLabel implements link.Labels.
func (a *Planes) DeleteLabel(label wire.RecordID) {
	if x, ok := a.ids.Get(label); ok && x.label != nil {
		a.ids.Delete(label)
	}
}

func (e *receiving) take(p link.Path, rec []byte) {
	if !e.held.Keep(p, [][]byte{rec}, &e.live.traffic) {
		e.open(p, rec)
	}
}

func (e *receiving) open(p link.Path, rec []byte) {
	t := &e.live.traffic
	if !p.Kind().Takes(rec) {
		t.Drop(link.DropMalformed, 1)
		return
	}
	plain, verdict := e.epoch.OpenTo(make([]byte, 0, len(rec)), rec)
	switch {
	case verdict == record.Replayed:
		t.Drop(link.DropReplayed, 1)
		return
	case verdict != record.Opened:
		t.Drop(link.DropForged, 1)
		return
	}
	if space, ok := wire.SpaceOf(rec); ok && space != wire.SpaceControl { // space 3 has no window: it may be a replay
		t.Heard(p.Kind()).Note(len(rec))
		if t.Hear(p, time.Now()) {
			e.plane.sink.Moved(p)
		}
	}
	if e.heard.CompareAndSwap(false, true) {
		e.plane.sink.Opened(p, e.epoch)
	}
	if plain = e.join(p, plain); len(plain) == 0 {
		return
	}
	if wire.KindOf(plain) == wire.KindFrame {
		e.plane.sink.Frame(p, e.epoch, plain)
	} else {
		t.Drop(link.DropDevice, 1)
	}
}

// join puts halves together; other plaintexts pass. Nil while one is missing.
func (e *receiving) join(from link.Path, plain []byte) []byte {
	if !wire.IsFrame(plain, wire.FramePart) {
		return plain
	}
	whole := make([]byte, 2*len(plain))
	n := e.live.halves.Join(whole, plain, from, time.Now(), &e.live.traffic)
	if whole = whole[:n]; wire.IsFrame(whole, wire.FramePart) {
		e.live.traffic.Drop(link.DropMalformed, 1)
		return nil
	}
	return whole
}

// Install implements link.Plane.
func (p *plane) Install(e *record.Epoch, hold bool) error {
	pe := &receiving{plane: p, live: p.wake(), epoch: e}
	if hold {
		pe.held.Begin()
	}
	return p.all.ids.Put(e.RecvID(), named{epoch: pe})
}

// Ahead implements link.Plane: there are no packets to hold back.
func (p *plane) Ahead(*record.Epoch) {}

// Release implements link.Plane.
func (p *plane) Release(e *record.Epoch) {
	if x, ok := p.all.ids.Get(e.RecvID()); ok && x.epoch != nil {
		pe := x.epoch
		pe.held.Release(func(from link.Path, recs [][]byte) {
			for _, rec := range recs {
				pe.open(from, rec)
			}
		})
	}
}

// Remove implements link.Plane.
func (p *plane) Remove(e *record.Epoch) { p.all.ids.Delete(e.RecvID()) }

// Use implements link.Plane.
func (p *plane) Use(*record.Epoch, link.Path) {}

// Traffic implements link.Plane.
func (p *plane) Traffic() *link.Traffic { return p.counts.Traffic() }

// Total implements link.Plane.
func (p *plane) Total() link.Moved { return p.counts.Total() }

// Wake implements link.Plane.
func (p *plane) Wake() { p.wake() }

func (p *plane) wake() *awake {
	p.counts.Lock()
	defer p.counts.Unlock()
	if p.counts.Awake() == nil {
		p.counts.Wake(new(awake))
	}
	return p.counts.Awake()
}

// Rest implements link.Plane.
func (p *plane) Rest() {
	p.counts.Lock()
	defer p.counts.Unlock()
	if p.counts.Awake() != nil {
		p.counts.Rest()
	}
}

// Expire implements link.Plane.
func (p *plane) Expire(time.Time) (next time.Time) { return next }

// Close implements link.Plane.
func (p *plane) Close() {}
