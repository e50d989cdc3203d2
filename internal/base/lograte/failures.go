package lograte

import "time"

const (
	// firstSummary is how long failures for known reasons are suppressed after the
	// first one; laterSummary the same after the first summary.
	firstSummary, laterSummary = 10 * time.Minute, 6 * time.Hour
)

// Failures thins the lines about attempts that fail again and again: each reason is
// logged once, and then a summary with the number of attempts at long intervals. The
// zero value has seen no failure.
type Failures struct {
	since    time.Time // of the first failure; zero: none since the last success
	reasons  map[string]bool
	next     time.Time // of the next summary
	newest   time.Time // failure
	log      bool      // what was decided for it
	attempts int       // since a line was logged
}

// Failed decides whether a failure is logged. Asked again for the same failure, at
// the same time, it decides the same.
func (f *Failures) Failed(reason string, now time.Time) (log bool) {
	if now.Equal(f.newest) {
		return f.log
	}
	f.newest, f.log = now, true
	f.attempts++
	switch {
	case f.since.IsZero():
		f.since, f.next, f.reasons = now, now.Add(firstSummary), make(map[string]bool)
	case !f.reasons[reason]:
	case now.Before(f.next):
		f.log = false
	default:
		f.next = now.Add(laterSummary)
	}
	f.reasons[reason] = true
	return f.log
}

// Failing reports whether there was a failure since the last success.
func (f *Failures) Failing() bool { return !f.since.IsZero() }

// Succeeded begins anew.
func (f *Failures) Succeeded() { *f = Failures{} }

// Summary are the attributes of a line that is logged: how many attempts there were
// since the last one. The count begins anew.
func (f *Failures) Summary(now time.Time) (attrs []any) {
	if f.attempts > 1 {
		attrs = []any{"attempts", f.attempts, "since", now.Sub(f.since).Round(time.Second)}
	}
	f.attempts = 0
	return attrs
}
