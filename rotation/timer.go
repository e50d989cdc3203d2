package rotation

import "time"

// A timer doubles its wait up to a cap each time it fires.
type timer struct {
	at   time.Time
	wait time.Duration
}

func startTimer(now time.Time, first time.Duration) timer {
	return timer{at: now.Add(first), wait: first}
}

// fire reports whether the timer is due, and sets it again.
func (t *timer) fire(now time.Time, limit time.Duration) bool {
	if now.Before(t.at) {
		return false
	}
	t.wait = min(2*t.wait, limit)
	t.at = now.Add(t.wait)
	return true
}
