package relay

import (
	"sync/atomic"
	"time"
)

// A bucket is a token bucket, kept as the time at which it would be full (GCRA), in
// nanoseconds. What is used of it is the time until then.
type bucket struct{ fullAt atomic.Int64 }

// used is what has been taken out and not refilled.
func (b *bucket) used(now time.Duration) int64 { return max(0, b.fullAt.Load()-int64(now)) }

// take takes out. Where more than enough is used already, it counts no more; 0 is no
// such bound.
func (b *bucket) take(now time.Duration, cost, enough int64) {
	for {
		old := b.fullAt.Load()
		used := max(0, old-int64(now))
		switch {
		case enough == 0 || used+cost <= enough:
			used += cost
		case used < enough:
			used = enough
		}
		if b.fullAt.CompareAndSwap(old, int64(now)+used) {
			return
		}
	}
}
