// Package backoff says when something that failed is tried again: after a time that
// doubles to a bound, less up to a quarter at random, so that two nodes or a fleet
// do not move in step. It reads no clock.
package backoff

import (
	"math/rand/v2"
	"time"
)

// A Schedule is the deadline of the next try.
type Schedule struct {
	Min, Max time.Duration // of the wait

	at    time.Time // of the next try; zero: none
	tries int       // failures in a row
}

// Failed sets the next try after one that failed.
func (s *Schedule) Failed(now time.Time) {
	wait := min(s.Min<<min(s.tries, 16), s.Max)
	s.tries++
	s.at = now.Add(wait - rand.N(wait/4))
}

// Try sets the next try, whatever failed before.
func (s *Schedule) Try(at time.Time) { s.at = at }

// Begun takes note that the try has begun: the next one has no date.
func (s *Schedule) Begun() { s.at = time.Time{} }

// Forgive begins the waits anew; the next try keeps its date.
func (s *Schedule) Forgive() { s.tries = 0 }

// Reset begins anew, as after a success.
func (s *Schedule) Reset() { s.tries, s.at = 0, time.Time{} }

// Deadline is when the next try is due; zero for none.
func (s *Schedule) Deadline() time.Time { return s.at }

// Tries is how many tries failed in a row.
func (s *Schedule) Tries() int { return s.tries }
