package quicnet

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

const (
	// paceAhead is how many packets quic-go may be ahead of a connection's
	// receiver. It keeps 128 received datagrams and drops what comes then,
	// acknowledged already, so that its congestion control never learns of it.
	paceAhead = 96
	// paceWait bounds a pause. One in vain, on a busy machine, earns paceGrace more
	// packets; after paceVain of them without any datagram between the connection
	// is let alone for paceFree: it uses streams, and others must not wait for that.
	paceWait  = 2 * time.Millisecond
	paceGrace = 128 - paceAhead
	paceVain  = 3
	paceFree  = 100 * time.Millisecond
	// paceSize is the smallest packet that holds a record: short header, id,
	// packet number, frame type, record, tag. Smaller ones are acknowledgements.
	paceSize = 1 + idLength + 2 + 1 + 32 + 16
)

// A pacer makes the reader of QUIC packets wait for the receivers of datagrams.
// Without it a busy connection fed by a busy reader keeps both cores, its
// receiver starves and its queue runs over: a quarter of all records was lost so
// on two cores. The packets wait in our own queue; dropped there, they slow down
// the sender as they should. Only packets from addresses of connections count,
// so a flood of others holds up nobody.
type pacer struct {
	mu    sync.Mutex
	flows map[netip.AddrPort]*flow
	full  *flow // too far ahead when the reader last looked
	turn  chan struct{}
	timer *time.Timer // the reader's
}

// A flow is the datagrams from one address.
type flow struct {
	addr    netip.AddrPort
	conns   int
	ahead   int // packets given to quic-go less datagrams received
	gaveAt  time.Time
	freeTo  time.Time // not paced until then
	vain    int       // pauses in vain since the last datagram
	waiting bool      // the reader waits for it
}

func newPacer() *pacer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &pacer{flows: make(map[netip.AddrPort]*flow), turn: make(chan struct{}, 1), timer: t}
}

// join counts packets from a from now on; leave ends it.
func (p *pacer) join(a netip.AddrPort) *flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flows[a]
	if f == nil {
		f = &flow{addr: a}
		p.flows[a] = f
	}
	f.conns++
	return f
}

func (p *pacer) leave(f *flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.conns--; f.conns == 0 {
		delete(p.flows, f.addr)
	}
}

// gave counts the packets that quic-go gets.
func (p *pacer) gave(ms []ipv4.Message, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var last net.Addr
	var f *flow
	for i := range ms {
		if ms[i].N < paceSize {
			continue
		}
		if ms[i].Addr != last { // one object a source, see packetQueue
			last = ms[i].Addr
			f = p.flows[netaddr.PortOf(last)]
		}
		if f != nil {
			p.give(f, now)
		}
	}
}

func (p *pacer) give(f *flow, now time.Time) {
	if now.Sub(f.gaveAt) > paceWait {
		f.ahead = 0 // there was time for everything
	}
	f.gaveAt = now
	f.ahead++
	if f.ahead >= paceAhead && now.After(f.freeTo) {
		p.full = f
	}
}

// received counts n datagrams that a receiver has taken. A packet may hold many.
func (p *pacer) received(f *flow, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.ahead, f.vain = max(0, f.ahead-n), 0
	if f.waiting && f.ahead < paceAhead {
		f.waiting = false
		p.turn <- struct{}{} // has room: one token a wait
	}
}

// pause is called with a packet at hand and waits while quic-go is too far
// ahead. The reader alone calls it.
func (p *pacer) pause(now time.Time) {
	f := p.mustWait(now)
	if f == nil {
		return
	}
	p.timer.Reset(paceWait)
	defer p.timer.Stop()
	select {
	case <-p.turn:
	case at := <-p.timer.C:
		p.giveUp(f, at)
	}
}

func (p *pacer) mustWait(now time.Time) *flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.full
	p.full = nil
	if f == nil || f.ahead < paceAhead || now.Sub(f.gaveAt) > paceWait {
		return nil
	}
	f.waiting = true
	return f
}

func (p *pacer) giveUp(f *flow, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !f.waiting { // its receiver was just in time
		<-p.turn
		return
	}
	f.waiting = false
	f.ahead -= paceGrace
	if f.vain++; f.vain == paceVain {
		f.vain, f.freeTo = 0, now.Add(paceFree)
	}
}
