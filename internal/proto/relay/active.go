package relay

import (
	"sync"
	"sync/atomic"
	"time"
)

// activeWindow is how long a source counts as active after it has sent, at least; it
// is twice that at most.
const activeWindow = time.Second

// active counts the sources that have sent in the current window or the one before.
// The lock is taken once a source and window.
type active struct {
	mu       sync.Mutex
	window   int64 // the current one, from 2: a source that was never seen was seen in 0
	previous int64 // sources of the window before
	current  int64 // sources of the current one
	fresh    int64 // of them those that were not in the one before
	sources  atomic.Int64
}

// count counts a source and returns how many there are.
func (a *active) count(now time.Duration, s *Source) int64 {
	if w := int64(now/activeWindow) + 2; s.seen.Load() < w {
		a.enter(w, s)
	}
	return a.sources.Load()
}

// enter counts a source that was not seen in a window.
func (a *active) enter(w int64, s *Source) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w > a.window {
		if a.previous = a.current; w > a.window+1 {
			a.previous = 0
		}
		a.window, a.current, a.fresh = w, 0, 0
	}
	seen := s.seen.Load()
	if seen >= a.window { // by another goroutine, in the meantime
		return
	}
	a.current++
	if seen != a.window-1 {
		a.fresh++
	}
	s.seen.Store(a.window)
	a.sources.Store(a.previous + a.fresh)
}
