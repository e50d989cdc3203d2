package node

import (
	"testing"
	"time"
)

// The first change after a calm is applied at once, and so are hundreds more; a
// storm of them costs a fiftieth of the time, however long one takes, and none waits
// longer than fifty times that. docs/node.md 7.11.
func TestRefreshOfTheHostIsBoundedByAShareOfTime(t *testing.T) {
	for _, cost := range []time.Duration{100 * time.Microsecond, 10 * time.Millisecond, time.Second} {
		var s share
		start := time.Now()
		now, due := start, time.Time{} // due: zero is none
		var work, longest time.Duration
		atOnce, asked := 0, start
		const storm = 10 * time.Minute
		for event := start; event.Before(start.Add(storm)); event = event.Add(5 * time.Millisecond) { // 200 a second
			if event.Before(now) {
				continue // merged into the next one while the work went on
			}
			if due.IsZero() {
				asked = event
			}
			now = event
			wait := s.wait(now)
			if due = now.Add(wait); wait > 5*time.Millisecond {
				continue // the next event comes sooner
			}
			if wait == 0 && work == time.Duration(atOnce)*cost {
				atOnce++
			}
			longest = max(longest, due.Sub(asked))
			now, due = due.Add(cost), time.Time{}
			work += cost
			s.spend(cost, now)
		}
		if bound := storm/hostShare + hostBurst + 2*cost; work > bound {
			t.Errorf("work of %v: %v in %v, more than %v", cost, work, storm, bound)
		}
		if longest > hostShare*cost+5*time.Millisecond {
			t.Errorf("work of %v: a change waited for %v", cost, longest)
		}
		if atOnce < 1 || atOnce < int(hostBurst/cost) {
			t.Errorf("work of %v: only %d changes at once", cost, atOnce)
		}
		if s.wait(now.Add(time.Hour)) != 0 {
			t.Errorf("work of %v: a change waits after a calm", cost)
		}
	}
}
