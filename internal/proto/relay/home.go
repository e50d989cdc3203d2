package relay

import "time"

// homeMost is the longest lifetime of a home; nodes renew it at half.
const homeMost = time.Hour

// A home says whether a peer is at home at this hub, which then keeps the session
// awake.
type home struct {
	homeEnds time.Time // zero: it is not
	askedAt  time.Time // newest HOME that was answered
}

// is reports whether the peer is at home.
func (h *home) is() bool { return !h.homeEnds.IsZero() }

// asked reports whether HOME is answered now.
func (h *home) asked(now time.Time) bool {
	ok := spaced(h.askedAt, now)
	if ok {
		h.askedAt = now
	}
	return ok
}

// stay sets the end of it; leave is the end.
func (h *home) stay(until time.Time) { h.homeEnds = until }
func (h *home) leave()               { h.homeEnds = time.Time{} }
