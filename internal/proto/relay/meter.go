package relay

import (
	"sync/atomic"
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

	// depth is what a token bucket holds: what its rate gives in this time.
	depth = 100 * time.Millisecond
	// exhausted is what may be used of the total at once, more than its bucket holds: the
	// bursts of sources within their share pass.
	exhausted = 10 * depth
	// batches is how many batches a source within its share may have sent at once, if
	// that is more than what its share gives in depth.
	batches = 3
	// maxDebt is what is held against a source for having used what others left.
	maxDebt = 2 * depth
	// maxBatch bounds the bytes that are charged at once.
	maxBatch = 1 << 24
)

// A Source is what one peer has sent through the hub lately. The zero value is one
// that has sent nothing.
type Source struct {
	own   bucket // at the rate of a source
	share bucket // at its share of the total
	seen  atomic.Int64
}

// A Meter judges bytes on the packet path, before they are forwarded. Each source has
// a rate and all together have a total. While the total is short, sources that send
// more than their share are dropped first: the total divided by the sources that have
// sent something in the last one to two seconds. A Meter allocates nothing and is safe
// for concurrent use; batches that are judged in the same moment may pass together
// where only one of them should.
type Meter struct {
	rate, total atomic.Int64 // bytes a second
	all         bucket
	active      active
	counters    [verdicts]counter
}

// A counter counts by verdict.
type counter struct{ datagrams, bytes atomic.Uint64 }

// NewMeter makes a Meter with the rate of a source and that of all together, in bytes
// a second. 0 is 100 Mbit/s and 1 Gbit/s.
func NewMeter(rate, total int64) *Meter {
	m := new(Meter)
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
	m.rate.Store(max(rate, leastRate))
	m.total.Store(max(total, leastRate))
}

// Admit judges a batch of datagrams of one source as a whole. The time is that since
// some moment, the same one in all calls, and not negative.
func (m *Meter) Admit(now time.Duration, s *Source, datagrams, bytes int) Verdict {
	size := int64(min(max(bytes, 0), maxBatch))
	cost := size * int64(time.Second) / m.total.Load()
	share := cost * m.active.count(now, s)
	v := m.judge(now, s, share)
	if v == Pass {
		m.charge(now, s, size, cost, share)
	}
	m.counters[v].datagrams.Add(uint64(max(datagrams, 0)))
	m.counters[v].bytes.Add(uint64(max(bytes, 0)))
	return v
}

// judge decides. A batch passes a bucket that is not empty, however large it is, and
// what follows waits. A batch that is more than a share gives in that time would find
// its bucket empty or brimming over; so a source may have used some such batches.
func (m *Meter) judge(now time.Duration, s *Source, share int64) Verdict {
	all := m.all.used(now)
	switch {
	case s.own.used(now) >= int64(depth):
		return OverRate
	case all < int64(depth):
		return Pass
	case s.share.used(now) >= max(int64(depth), batches*share):
		return OverShare
	case all >= int64(exhausted):
		return OverTotal
	}
	return Pass
}

// charge takes a batch out of the buckets.
func (m *Meter) charge(now time.Duration, s *Source, size, cost, share int64) {
	s.own.take(now, size*int64(time.Second)/m.rate.Load(), 0)
	s.share.take(now, share, max(int64(maxDebt), (batches+1)*share))
	m.all.take(now, cost, 0)
}

// Traffic is what a Meter has counted.
type Traffic struct{ Datagrams, Bytes uint64 }

// Counted returns what has had a verdict so far.
func (m *Meter) Counted(v Verdict) Traffic {
	c := &m.counters[v]
	return Traffic{Datagrams: c.datagrams.Load(), Bytes: c.bytes.Load()}
}
