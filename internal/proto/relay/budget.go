package relay

import "time"

const (
	// meetRate and meetBurst bound how many meetings a peer begins: as many a second
	// as sleeping sessions are woken, and in a burst.
	meetRate  = 10
	meetEach  = time.Second / meetRate
	meetBurst = 50
	// frameGap is the least distance of two frames of one kind about one pair, and of
	// answers to a peer that floods: whatever is repeated costs the hub and the other
	// end no more. It is below the first resend of honest ends.
	frameGap = 100 * time.Millisecond
)

// A budget limits the rate of a peer's meetings: a token bucket, kept as the time at
// which it would be full (GCRA).
type budget struct {
	full   time.Time
	toldAt time.Time // newest answer beyond the budget
}

// take reports whether another meeting may begin.
func (b *budget) take(now time.Time) bool {
	full := b.full
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > (meetBurst-1)*meetEach {
		return false
	}
	b.full = full.Add(meetEach)
	return true
}

// tell reports whether a peer is answered though no token was taken.
func (b *budget) tell(now time.Time) bool {
	if !spaced(b.toldAt, now) {
		return false
	}
	b.toldAt = now
	return true
}

// spaced reports whether a frame that last left at some time may leave again.
func spaced(last, now time.Time) bool { return last.IsZero() || now.Sub(last) >= frameGap }
