package session

import (
	"log/slog"
	"time"
)

const (
	// hushFirst is how long the log says nothing of further attempts after a
	// failure for a reason that is new; hushLater the same after that.
	hushFirst, hushLater = 10 * time.Minute, 6 * time.Hour
)

// A hush thins what the log says of a peer that stays out of reach: each reason
// once, and then now and then how many attempts there were. A peer that is off
// for weeks, with programs that try to reach it, made a line a second. Events and
// metrics have every attempt.
type hush struct {
	since    time.Time // of the first failure; zero: none since the peer was reached
	reasons  map[Reason]bool
	next     time.Time // when to say something again
	at       time.Time // of the newest failure
	say      bool      // what was decided for it
	attempts int       // since one was said
}

// failed decides whether a failure is said. Asked again for the same failure it
// says the same.
func (h *hush) failed(r Reason, now time.Time) bool {
	if now.Equal(h.at) {
		return h.say
	}
	h.at, h.say = now, true
	h.attempts++
	switch {
	case h.since.IsZero():
		h.since, h.next, h.reasons = now, now.Add(hushFirst), make(map[Reason]bool)
	case !h.reasons[r]:
	case now.Before(h.next):
		h.say = false
	default:
		h.next = now.Add(hushLater)
	}
	h.reasons[r] = true
	return h.say
}

// level is what a line about a change of state has.
func (h *hush) level(to State, r Reason, now time.Time) slog.Level {
	switch {
	case to == Failed && h.failed(r, now):
		return slog.LevelWarn
	case to == Established:
		*h = hush{}
	case to == Failed, !h.since.IsZero() && (to == HandshakeInitiated || to == HandshakeReceived):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// told are the attributes of a line that is said, which begins to count anew.
func (h *hush) told(now time.Time) (attrs []any) {
	if h.attempts > 1 {
		attrs = []any{"attempts", h.attempts, "since", now.Sub(h.since).Round(time.Second)}
	}
	h.attempts = 0
	return attrs
}
