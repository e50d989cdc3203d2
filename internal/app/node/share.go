package node

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

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

// cost runs f and returns the CPU time that it took. The time of the clock would be
// more on a busy machine, where f waits for its turn, and would put off the next work.
func cost(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime()
	f()
	return threadTime() - before
}

// threadTime is the CPU time of the calling thread, the kernel's part included.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
