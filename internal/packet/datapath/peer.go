package datapath

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// A Peer is the packet side of one session. It is small: a peer that nothing is to be
// carried for is a place in the table of owners, and what it has counted.
type Peer struct {
	d      *Datapath
	sink   link.Sink
	limits *link.QueueLimits
	tx     atomic.Pointer[sender] // nil: packets are queued
	judged atomic.Pointer[judged] // nil: everything passes

	counts link.Counters[awake, *awake] // its mutex guards the queue and the flip between waiting and sending
	closed bool
}

// awake is what a peer has while its session is awake, or packets wait.
type awake struct {
	traffic link.Traffic
	halves  link.Reassembly
	partID  atomic.Uint32
	queue   queue // guarded by the Peer's mutex
	ahead   ahead
}

var _ link.Plane = (*Peer)(nil)

// Traffic implements link.Counters.
func (a *awake) Traffic() *link.Traffic { return &a.traffic }

// A sender is what the packet path reads to send: the epoch in use and the path.
type sender struct {
	*awake
	epoch *record.Epoch
	path  link.Path
}

// A receiver is what the table of record ids has for an epoch.
type receiver struct {
	peer  *Peer
	live  *awake
	epoch *record.Epoch
	heard atomic.Bool // a record of this epoch has been opened
	ahead atomic.Bool // the peer holds what comes until it has the proof of this end

	held link.Held // until the peer is proven
}

// Traffic implements link.Plane.
func (p *Peer) Traffic() *link.Traffic { return p.counts.Traffic() }

// Total implements link.Plane.
func (p *Peer) Total() link.Moved { return p.counts.Total() }

// Wake implements link.Plane.
func (p *Peer) Wake() {
	p.counts.Lock()
	defer p.counts.Unlock()
	p.wake()
}

// wake makes what an awake peer has; the caller holds the mutex.
func (p *Peer) wake() *awake {
	if p.counts.Awake() == nil {
		p.counts.Wake(&awake{queue: queue{limits: *p.limits}})
	}
	return p.counts.Awake()
}

// Rest implements link.Plane. Packets that wait stay, and so does what is under way.
func (p *Peer) Rest() {
	p.counts.Lock()
	defer p.counts.Unlock()
	a := p.counts.Awake()
	if a != nil && p.tx.Load() == nil && a.ahead.tx == nil && len(a.queue.items) == 0 {
		p.counts.Rest()
	}
}

// Install implements link.Plane.
func (p *Peer) Install(e *record.Epoch, hold bool) error {
	p.counts.Lock()
	r := &receiver{peer: p, live: p.wake(), epoch: e}
	p.counts.Unlock()
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
	p.counts.Lock()
	defer p.counts.Unlock()
	if e == nil || path == nil || p.closed {
		p.tx.Store(nil)
		if a := p.counts.Awake(); a != nil {
			a.ahead.end()
		}
		return
	}
	a := p.wake()
	tx := &sender{awake: a, epoch: e, path: path}
	if p.holdsBack(e) {
		a.ahead.use(tx)
		p.flushAhead(a)
		return
	}
	a.ahead.end()
	p.flush(tx, math.MaxInt, math.MaxInt)
	p.tx.Store(tx)
}

// flush sends what waits, from the oldest on, as far as it fits the bounds; the caller
// holds the mutex. This is the one place where a lock is held while sending: nothing
// else may pass until the queue is empty.
func (p *Peer) flush(tx *sender, records, bytes int) (took count) {
	var out outbound
	var pkts []*tun.Packet
	waiting, took := tx.queue.take(time.Now(), records, bytes, tx.path.Room()-wire.Overhead, &tx.traffic)
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
	p.counts.Lock()
	defer p.counts.Unlock()
	a := p.counts.Awake()
	if a == nil {
		return nil, next
	}
	dropped = a.queue.old(now)
	a.queue.dropOld(now, &a.traffic)
	if len(a.queue.items) > 0 {
		next = a.queue.items[0].since.Add(a.queue.limits.Age + 1) // not before it is older than that
	}
	return dropped, next
}

// SetRules says what the peer may send to this node; nil: everything. It counts for all
// packets that are received after it has returned.
func (p *Peer) SetRules(r *filter.Rules) { p.judged.Store(p.d.judge.by(r)) }

// Close implements link.Plane.
func (p *Peer) Close() {
	p.counts.Lock()
	defer p.counts.Unlock()
	p.closed = true
	p.tx.Store(nil)
	if a := p.counts.Awake(); a != nil {
		a.ahead.end()
		a.queue.clear(&a.traffic)
	}
	p.d.owners.routes.DeleteAll(p)
	p.d.notes.forget(p)
}
