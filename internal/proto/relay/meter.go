package relay

import (
	"sync"
	"time"
)

// A Verdict is what becomes of a batch of datagrams.
type Verdict uint8

const (
	Pass      Verdict = iota
	OverRate          // its source sends more than a source may
	OverShare         // the total is short, and its source sends more than its share
	OverTotal         // the total is exhausted
	verdicts  = iota
)

var verdictNames = [...]string{"pass", "over rate", "over share", "over total"}

func (v Verdict) String() string { return verdictNames[v] }

const (
	defaultRate  = 100_000_000 / 8   // bytes a second, of a source
	defaultTotal = 1_000_000_000 / 8 // of all
	leastRate    = 1 << 10

	// depth is what a token bucket holds, and the queue of a source while the total is
	// short: what its rate, or its share, gives in this time.
	depth = 100 * time.Millisecond
	// exhausted is what may be used of the total at once: the bursts of sources within
	// their share pass.
	exhausted = 10 * depth
	// batches is how many batches the queue of a source holds, if that is more than what
	// its share gives in depth.
	batches = 3
	// maxBatch bounds the bytes that are charged at once.
	maxBatch = 1 << 24
)

// A Source is what one peer has sent through the hub lately. The zero value is one
// that has sent nothing. It belongs to one Meter.
type Source struct {
	own    bucket        // at the rate of a source
	empty  int64         // when its queue is empty, in virtual time
	heldTo time.Duration // when what is in its queue is held against it no more
}

// A Meter judges bytes on the packet path, before they are forwarded. Each source has
// a rate and all together have a total. While the total is short, sources that send
// more than their share are dropped first: the level at which what all of them send,
// each at most the level, is the total (max-min fairness). Nothing waits: the queues by
// which shares are judged are a model. A Meter allocates nothing and is safe for
// concurrent use; its lock is held for some arithmetic only.
type Meter struct {
	mu          sync.Mutex
	rate, total int64 // bytes a second
	all         bucket
	queues      fluid
	counted     [verdicts]Traffic
}

// NewMeter makes a Meter with the rate of a source and that of all together, in bytes
// a second. 0 is 100 Mbit/s and 1 Gbit/s.
func NewMeter(rate, total int64) *Meter {
	m := new(Meter)
	m.queues.init()
	m.Set(rate, total)
	return m
}

// Set changes the rates.
func (m *Meter) Set(rate, total int64) {
	if rate == 0 {
		rate = defaultRate
	}
	if total == 0 {
		total = defaultTotal
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rate, m.total = max(rate, leastRate), max(total, leastRate)
}

// Admit judges a batch of datagrams of one source as a whole. The time is that since
// some moment, the same one in all calls, and not negative.
func (m *Meter) Admit(now time.Duration, s *Source, datagrams, bytes int) Verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := int64(min(max(bytes, 0), maxBatch)) * int64(time.Second)
	cost := size / m.total
	m.queues.run(now)
	v := m.judge(now, s, cost)
	if v == Pass {
		s.own.take(now, time.Duration(size/m.rate))
		m.all.take(now, time.Duration(cost))
		m.queues.add(s, cost)
	}
	m.counted[v].Datagrams += uint64(max(datagrams, 0))
	m.counted[v].Bytes += uint64(max(bytes, 0))
	return v
}

// judge decides. A batch passes where there is any room, however large it is, and what
// follows waits. A batch that is more than a share gives in depth would find its queue
// empty or brimming over; so the queue holds some such batches.
func (m *Meter) judge(now time.Duration, s *Source, cost int64) Verdict {
	all := m.all.used(now)
	switch {
	case s.own.used(now) >= depth:
		return OverRate
	case all < depth:
		return Pass
	case m.queues.queued(s) >= max(int64(depth)/m.queues.sources(), batches*cost):
		return OverShare
	case all >= exhausted:
		return OverTotal
	}
	return Pass
}

// Traffic is what a Meter has counted.
type Traffic struct{ Datagrams, Bytes uint64 }

// Counted returns what has had a verdict so far.
func (m *Meter) Counted(v Verdict) Traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counted[v]
}
