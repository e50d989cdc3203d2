package datapath

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
)

// An ahead is what may leave before the peer is known to have the proof of this end,
// which travels beside it: until then the peer holds records, a bounded number. What is
// over it waits here for one round trip and is not lost there. Guarded by the Peer's mutex.
type ahead struct {
	tx             *sender // nil: nothing is held back
	records, bytes int     // that may still leave under its epoch
}

// use sends on another path under the epoch that has begun, or begins with another one.
func (a *ahead) use(tx *sender) {
	if a.tx == nil || a.tx.epoch != tx.epoch {
		a.records, a.bytes = link.AheadRecords, link.AheadBytes
	}
	a.tx = tx
}

func (a *ahead) end() { *a = ahead{} }

// Ahead implements link.Plane.
func (p *Peer) Ahead(e *record.Epoch) {
	if r := p.d.epochOf(e.RecvID()); r != nil && r.epoch == e {
		r.ahead.Store(true)
	}
}

// holdsBack reports whether packets have to wait for the first record of the peer under
// an epoch. Those that flow already do not: a stop would cost more than what the peer
// cannot hold. The caller holds the mutex.
func (p *Peer) holdsBack(e *record.Epoch) bool {
	r := p.d.epochOf(e.RecvID())
	return p.tx.Load() == nil && r != nil && r.epoch == e && r.ahead.Load() && !r.heard.Load()
}

// flushAhead sends as much of the queue as may leave already; the caller holds the mutex.
func (p *Peer) flushAhead(a *awake) {
	took := p.flush(a.ahead.tx, a.ahead.records, a.ahead.bytes)
	a.ahead.records -= took.packets
	a.ahead.bytes -= took.bytes
}
