package node

import "time"

const (
	// hostShare bounds what following the host's addresses costs: one part of so many
	// of the time, as for nextHopShare.
	hostShare = 50
	// hostBurst is the work that may be done at once after a calm, so that a network
	// that comes is closed at once: hundreds of changes.
	hostBurst = 100 * time.Millisecond
)

// share bounds work to a share of the time, with a burst: a token bucket of which
// the tokens are time. The zero value is full.
type share struct {
	used time.Duration // of the burst, as of at
	at   time.Time
}

// wait is how long to wait with the next piece of work: not at all unless the burst
// is used up.
func (s *share) wait(now time.Time) time.Duration {
	return max(0, s.now(now)-hostBurst) * hostShare
}

// spend notes a piece of work that has ended now.
func (s *share) spend(cost time.Duration, now time.Time) {
	s.used, s.at = s.now(now)+cost, now
}

func (s *share) now(now time.Time) time.Duration {
	return max(0, s.used-now.Sub(s.at)/hostShare)
}
