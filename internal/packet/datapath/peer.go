package datapath

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// A Peer is the packet side of one session.
type Peer struct {
	d       *Datapath
	sink    link.Sink
	traffic link.Traffic
	tx      atomic.Pointer[sender] // nil: packets are queued
	halves  link.Reassembly
	partID  atomic.Uint32

	mu     sync.Mutex // guards the queue and the flip between waiting and sending
	queue  queue
	ahead  ahead
	closed bool
}

var _ link.Plane = (*Peer)(nil)

// A sender is what the packet path reads to send: the epoch in use and the path.
type sender struct {
	epoch *record.Epoch
	path  link.Path
}

// A receiver is what the table of record ids has for an epoch.
type receiver struct {
	peer  *Peer
	epoch *record.Epoch
	heard atomic.Bool // a record of this epoch has been opened
	ahead atomic.Bool // the peer holds what comes until it has the proof of this end

	held link.Held // until the peer is proven
}

// Traffic implements link.Plane.
func (p *Peer) Traffic() *link.Traffic { return &p.traffic }

// Install implements link.Plane.
func (p *Peer) Install(e *record.Epoch, hold bool) error {
	r := &receiver{peer: p, epoch: e}
	if hold {
		r.held.Begin()
	}
	return p.d.ids.Put(e.RecvID(), named{epoch: r})
}

// Release implements link.Plane.
func (p *Peer) Release(e *record.Epoch) {
	if r := p.d.epochOf(e.RecvID()); r != nil && r.epoch == e {
		r.held.Release(func(from link.Path, recs [][]byte) { p.d.receive(from, r, recs) })
	}
}

// Remove implements link.Plane.
func (p *Peer) Remove(e *record.Epoch) {
	if r := p.d.epochOf(e.RecvID()); r != nil && r.epoch == e {
		p.d.ids.Delete(e.RecvID())
	}
}

// Use implements link.Plane. It sends the queue before it lets the packet path send,
// so that order is kept.
func (p *Peer) Use(e *record.Epoch, path link.Path) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e == nil || path == nil || p.closed {
		p.tx.Store(nil)
		p.ahead.end()
		return
	}
	tx := &sender{epoch: e, path: path}
	if p.holdsBack(e) {
		p.ahead.use(tx)
		p.flushAhead()
		return
	}
	p.ahead.end()
	p.flush(tx, math.MaxInt, math.MaxInt)
	p.tx.Store(tx)
}

// flush sends what waits, from the oldest on, as far as it fits the bounds; the caller
// holds mu. This is the one place where a lock is held while sending: nothing else may
// pass until the queue is empty.
func (p *Peer) flush(tx *sender, records, bytes int) (took count) {
	var out outbound
	var pkts []*tun.Packet
	waiting, took := p.queue.take(time.Now(), records, bytes, tx.path.Room()-wire.Overhead, &p.traffic)
	for _, packet := range waiting {
		pkts = append(pkts, &tun.Packet{Buf: packet, Len: len(packet)})
	}
	if len(pkts) > 0 {
		p.transmit(tx, pkts, &out)
	}
	return took
}

// Expire implements link.Plane. The senders of dropped packets get an ICMP error.
func (p *Peer) Expire(now time.Time) (next time.Time) {
	dropped, next := p.expire(now)
	if len(dropped) > 0 {
		var mem answer
		for _, w := range dropped {
			p.d.answers.unreachable(w.packet, now, &mem)
		}
	}
	return next
}

func (p *Peer) expire(now time.Time) (dropped []waiting, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dropped = p.queue.old(now)
	p.queue.dropOld(now, &p.traffic)
	if len(p.queue.items) > 0 {
		next = p.queue.items[0].since.Add(p.queue.limits.Age + 1) // not before it is older than that
	}
	return dropped, next
}

// Close implements link.Plane.
func (p *Peer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.tx.Store(nil)
	p.ahead.end()
	p.queue.clear(&p.traffic)
	p.d.owners.routes.DeleteAll(p)
	p.d.notes.forget(p)
}
