package lograte

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// Lines are written ten at a time and then one in ten seconds, each with how many
// were suppressed.
func TestLinesAreLimited(t *testing.T) {
	l := Limiter{Burst: 10, Every: 10 * time.Second}
	now := time.Now()
	lines, suppressed := 0, uint64(0)
	for range 36_000 { // an hour of ten changes a second
		now = now.Add(100 * time.Millisecond)
		if s, ok := l.Allow(now); ok {
			lines++
			suppressed += s
		}
	}
	if lines < 350 || lines > 380 || suppressed+uint64(lines)+l.suppressed != 36_000 {
		t.Errorf("%d lines, which count %d", lines, suppressed)
	}
	now = now.Add(time.Hour)
	for i := range l.Burst {
		if _, ok := l.Allow(now); !ok {
			t.Errorf("line %d after an hour's rest is suppressed", i)
		}
	}
	faults.Report(t, "S20", lines <= 380, "36000 changes of path in an hour: %d lines", lines)
}

// A peer that is off for a month, with an attempt every five seconds and two
// reasons in turn, makes a line for each reason and four a day; every attempt is
// counted in one of them.
func TestFailuresMakeFewLines(t *testing.T) {
	var f Failures
	now := time.Unix(1000, 0)
	lines, attempts, counted := 0, 0, 0
	for end := now.Add(30 * 24 * time.Hour); now.Before(end); now = now.Add(5 * time.Second) {
		if f.Failing() != (attempts > 0) {
			t.Fatalf("after %d attempts: failing is %v", attempts, f.Failing())
		}
		attempts++
		reason := []string{"timeout", "transport_error"}[attempts%2]
		log := f.Failed(reason, now)
		if log {
			lines++
			counted += f.attempts
			f.Summary(now)
		}
		if f.Failed(reason, now) != log {
			t.Fatal("two lines about one failure do not agree")
		}
	}
	if lines > 2+1+30*4 || counted+f.attempts != attempts {
		t.Errorf("%d lines for %d attempts, of which %d are counted", lines, attempts, counted+f.attempts)
	}
	f.Succeeded()
	if f.Failing() || !f.Failed("timeout", now) {
		t.Error("the first failure after a success is suppressed")
	}
}
