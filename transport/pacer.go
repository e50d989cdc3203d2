package transport

import (
	"sync"
	"time"
)

const (
	// paceAhead is how many packets quic-go may be ahead of the receivers, and
	// paceGrace how many more it gets when a pause was in vain. It keeps 128
	// received datagrams and drops what comes then, acknowledged already, so that
	// its congestion control never learns of it.
	paceAhead = 96
	paceGrace = 32
	// paceWait bounds a pause: packets of streams earn nothing back.
	paceWait = 2 * time.Millisecond
	// paceSize is the smallest packet that holds a record: short header, id,
	// packet number, frame type, record, tag. Smaller ones are acknowledgements.
	paceSize = 1 + idLength + 2 + 1 + 32 + 16
)

// A pacer makes the reader of QUIC packets wait for the receivers of datagrams.
// Without it a busy connection fed by a busy reader keeps both cores, its
// receiver starves and its queue runs over: a quarter of all records was lost so
// on two cores. The packets wait in our own queue; dropped there, they slow down
// the sender as they should.
type pacer struct {
	mu      sync.Mutex
	ahead   int // packets given to quic-go less datagrams received
	gaveAt  time.Time
	waiting bool
	turn    chan struct{}
	timer   *time.Timer // the reader's
}

func newPacer() *pacer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &pacer{turn: make(chan struct{}, 1), timer: t}
}

// gave counts n packets that quic-go gets.
func (p *pacer) gave(n int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead += n
	p.gaveAt = now
}

// received counts n datagrams that a receiver has taken. A packet may hold many.
func (p *pacer) received(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead = max(0, p.ahead-n)
	if p.waiting && p.ahead < paceAhead {
		p.waiting = false
		p.turn <- struct{}{} // has room: one token a wait
	}
}

// pause is called with a packet at hand and waits while quic-go is too far
// ahead. The reader alone calls it.
func (p *pacer) pause(now time.Time) {
	if !p.mustWait(now) {
		return
	}
	p.timer.Reset(paceWait)
	defer p.timer.Stop()
	select {
	case <-p.turn:
	case <-p.timer.C:
		p.giveUp()
	}
}

func (p *pacer) mustWait(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.gaveAt) > paceWait {
		p.ahead = 0 // there was time for everything
	}
	p.waiting = p.ahead >= paceAhead
	return p.waiting
}

func (p *pacer) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting { // a receiver was just in time
		<-p.turn
		return
	}
	p.waiting = false
	p.ahead -= paceGrace
}
