package session

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// plainPlanes serve a manager without a TUN device: frames are carried, IP
// packets are counted and dropped. The packet loops of a node are
// internal/packet/datapath's.
type plainPlanes struct{ epochs record.Table[*plainEpoch] }

type plainEpoch struct {
	plane *plainPlane
	epoch *record.Epoch
	held  link.Held   // until the peer is proven
	heard atomic.Bool // a record has been opened
}

// A plainPlane is the packet side of one peer without packets.
type plainPlane struct {
	all     *plainPlanes
	sink    link.Sink
	traffic link.Traffic
	halves  link.Reassembly
}

func newPlainPlanes() *plainPlanes { return new(plainPlanes) }

func (a *plainPlanes) new(sink link.Sink, _ link.QueueLimits) link.Plane {
	return &plainPlane{all: a, sink: sink}
}

// Known implements link.Handler.
func (a *plainPlanes) Known(id wire.RecordID) bool {
	_, ok := a.epochs.Get(id)
	return ok
}

// Unreachable implements link.Handler.
func (a *plainPlanes) Unreachable(netip.AddrPort) {}

// Records implements link.Handler.
func (a *plainPlanes) Records(p link.Path, recs [][]byte) {
	for _, rec := range recs {
		id, _, _, ok := wire.ParseHeader(rec)
		if e, known := a.epochs.Get(id); ok && known {
			e.take(p, rec)
		}
	}
}

func (e *plainEpoch) take(p link.Path, rec []byte) {
	if !e.held.Keep(p, [][]byte{rec}, &e.plane.traffic) {
		e.open(p, rec)
	}
}

func (e *plainEpoch) open(p link.Path, rec []byte) {
	t := &e.plane.traffic
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
func (e *plainEpoch) join(from link.Path, plain []byte) []byte {
	if !wire.IsFrame(plain, wire.FramePart) {
		return plain
	}
	whole := make([]byte, 2*len(plain))
	n := e.plane.halves.Join(whole, plain, from, time.Now(), &e.plane.traffic)
	if whole = whole[:n]; wire.IsFrame(whole, wire.FramePart) {
		e.plane.traffic.Drop(link.DropMalformed, 1)
		return nil
	}
	return whole
}

// Install implements link.Plane.
func (p *plainPlane) Install(e *record.Epoch, hold bool) error {
	pe := &plainEpoch{plane: p, epoch: e}
	if hold {
		pe.held.Begin()
	}
	return p.all.epochs.Put(e.RecvID(), pe)
}

// Release implements link.Plane.
func (p *plainPlane) Release(e *record.Epoch) {
	if pe, ok := p.all.epochs.Get(e.RecvID()); ok {
		pe.held.Release(func(from link.Path, recs [][]byte) {
			for _, rec := range recs {
				pe.open(from, rec)
			}
		})
	}
}

// Remove implements link.Plane.
func (p *plainPlane) Remove(e *record.Epoch) { p.all.epochs.Delete(e.RecvID()) }

// Use implements link.Plane.
func (p *plainPlane) Use(*record.Epoch, link.Path) {}

// Traffic implements link.Plane.
func (p *plainPlane) Traffic() *link.Traffic { return &p.traffic }

// Expire implements link.Plane.
func (p *plainPlane) Expire(time.Time) (next time.Time) { return next }

// Close implements link.Plane.
func (p *plainPlane) Close() {}
