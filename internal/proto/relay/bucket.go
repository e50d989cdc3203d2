package relay

import "time"

// A bucket is a token bucket, kept as the time at which it would be full (GCRA). What is
// used of it is the time until then.
type bucket struct{ fullAt time.Duration }

// used is what has been taken out and not refilled.
func (b *bucket) used(now time.Duration) time.Duration { return max(0, b.fullAt-now) }

// take takes out.
func (b *bucket) take(now, cost time.Duration) { b.fullAt = max(b.fullAt, now) + cost }
