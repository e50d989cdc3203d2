package paths

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The sizes of direct records that are tried, largest first: 1500, 1460, 1420
// and 1360 bytes of IPv6 packet.
var probeSizes = [...]int{1452, 1412, 1372, leastWide}

// The sizes of a circuit's records, largest first: 8 bytes of label leave as much of
// 1500 bytes of IPv4 and of IPv6 packet, and of the smaller ones.
var circuitSizes = [...]int{1452, 1444, 1412, 1372, leastWide, circuitSafe}

// smallProbe and leastWide are the records of the smallest probe and of the
// smallest that qualifies the direct path, bytes.
const (
	smallProbe = wire.MinProbe + wire.Overhead
	leastWide  = 1312
	// circuitSafe is the largest record that is never lost on a circuit for its size:
	// 1280 bytes of IPv6 packet, less headers and label.
	circuitSafe = 1224
)

const (
	firstRounds  = 4                // rounds of a new candidate, fastProbe apart
	silentRounds = 8                // after which an address that never answered is dropped
	candidateGap = 5 * time.Second  // between rounds of one that does not answer
	standbyGap   = 15 * time.Second // of a proven path that is not in use
	restingGap   = time.Minute      // the same while no packets are sent: nobody needs it soon
	aliveGap     = 5 * time.Minute  // the same of a connection's, which has keepalives of its own
	returnGap    = time.Second      // of a lost one that answers again
	settleTime   = 50 * time.Millisecond
	probeLife    = 5 * time.Second // how long an echo counts
)

// probing says when a path that is not in use is probed, and what is under way on
// a path.
type probing struct {
	flight  []probe   // oldest first
	next    time.Time // when the next round is due; zero: none
	rounds  int       // since begin
	alive   bool      // something came back since begin
	largest int       // record echoed in this round of proof
	settles time.Time // when that size is taken; zero: nothing new
}

// A probe is one that may still be answered.
type probe struct {
	nonce uint64
	bytes int // of the record
	at    time.Time
	alone bool // on the path in use: asks whether what has left has come
	large int  // then: the largest of that
	judge bool // on the path in use: asks for the size with others
}

// begin starts a proof from the beginning.
func (b *probing) begin(now time.Time) {
	b.next, b.rounds, b.largest, b.settles, b.alive = now, 0, 0, time.Time{}, false
}

// schedule sets the time of the next round.
func (b *probing) schedule(at time.Time) { b.next = at }

// hurry brings the next round forward to a time at the latest.
func (b *probing) hurry(at time.Time) {
	if b.next.IsZero() || b.next.After(at) {
		b.next = at
	}
}

// every brings a round forward that would leave later than gap after the one
// before, but not before now.
func (b *probing) every(gap time.Duration, now time.Time) {
	if at := b.last().Add(gap); at.Before(b.next) {
		b.next = latest(at, now)
	}
}

// round counts one and forgets what cannot be answered any more.
func (b *probing) round(now time.Time) {
	b.rounds++
	b.expire(now)
}

// deny takes back a probe that could not leave. More may have come by then.
func (b *probing) deny(nonce uint64, now time.Time) {
	if _, ok := b.take(nonce); ok {
		b.next = now.Add(settleTime << (b.rounds - 1))
	}
}

// last is when the newest probe left that may still be answered.
func (b *probing) last() time.Time {
	if len(b.flight) == 0 {
		return time.Time{}
	}
	return b.flight[len(b.flight)-1].at
}

func (b *probing) sent(p probe) { b.flight = append(b.flight, p) }

func (b *probing) expire(now time.Time) {
	n := 0
	for n < len(b.flight) && now.Sub(b.flight[n].at) > probeLife {
		n++
	}
	b.flight = append(b.flight[:0], b.flight[n:]...)
}

// take finds the probe that an echo answers.
func (b *probing) take(nonce uint64) (probe, bool) {
	for i, p := range b.flight {
		if p.nonce == nonce {
			b.flight = append(b.flight[:i], b.flight[i+1:]...)
			return p, true
		}
	}
	return probe{}, false
}

// overdue reports whether a probe that left after the last echo should have come
// back.
func (b *probing) overdue(now, heard time.Time, rtt time.Duration) bool {
	for _, p := range b.flight {
		if p.at.After(heard) && now.Sub(p.at) >= max(silence, 3*rtt) {
			return true
		}
	}
	return false
}

// echo takes an answer on a path whose size is found by probes, of which least is
// the smallest that qualifies it. The first one asks for the sizes.
func (b *probing) echo(bytes, least int, now time.Time) {
	if !b.alive && bytes < least {
		b.next = now
	}
	b.alive = true
	if bytes < least {
		return
	}
	b.largest = max(b.largest, bytes)
	if b.settles.IsZero() {
		b.settles = now.Add(settleTime)
	}
}

// settle returns the largest size that came back, and begins anew.
func (b *probing) settle() (bytes int) {
	bytes, b.largest, b.settles = b.largest, 0, time.Time{}
	return bytes
}

func (b *probing) deadline() time.Time { return earliest(b.settles, b.next) }
