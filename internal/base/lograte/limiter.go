// Package lograte bounds how many lines of the log one cause can write. The time is
// an argument; nothing here logs.
package lograte

import "time"

// A Limiter is a token bucket for log lines that counts those that it suppresses.
// It is for one goroutine at a time.
type Limiter struct {
	Burst int           // tokens
	Every time.Duration // until a token comes back

	used       int       // tokens
	at         time.Time // when used was last right
	suppressed uint64    // lines since the last one that was written
}

// Allow reports whether a line may be written now, and how many were suppressed
// before it.
func (l *Limiter) Allow(now time.Time) (suppressed uint64, ok bool) {
	if back := int(now.Sub(l.at) / l.Every); back > 0 {
		l.used = max(0, l.used-back)
		l.at = l.at.Add(time.Duration(back) * l.Every)
		if l.used == 0 {
			l.at = now
		}
	}
	if l.used >= l.Burst {
		l.suppressed++
		return 0, false
	}
	l.used++
	suppressed, l.suppressed = l.suppressed, 0
	return suppressed, true
}
