package record

import (
	"sync"
	"sync/atomic"
)

// WindowSize is how far behind the newest number a record may come, in numbers.
const WindowSize = 8192

// One word more than the window: the word under the newest number is only
// partly in use (RFC 6479).
const windowWords = WindowSize/64 + 1

// A window remembers which of the newest WindowSize numbers were seen. The zero
// value has seen nothing.
type window struct {
	mu   sync.Mutex
	next atomic.Uint64 // newest number seen + 1; written under mu
	seen [windowWords]uint64
}

// fresh reports whether c may still come. It changes nothing, so that a forged
// record cannot move the window.
func (w *window) fresh(c uint64) bool {
	if c >= w.next.Load() { // the common case, without the lock
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.free(c)
}

// accept marks c as seen. It reports false if c was seen or fell out meanwhile.
// It runs for every record, so it does without a defer.
func (w *window) accept(c uint64) bool {
	w.mu.Lock()
	ok := w.mark(c)
	w.mu.Unlock()
	return ok
}

// mark is accept with mu held.
func (w *window) mark(c uint64) bool {
	if !w.free(c) {
		return false
	}
	if next := w.next.Load(); c >= next {
		w.clear(next, c)
		w.next.Store(c + 1)
	}
	w.seen[c/64%windowWords] |= 1 << (c % 64)
	return true
}

func (w *window) free(c uint64) bool {
	next := w.next.Load()
	switch {
	case c >= next:
		return true
	case next-c > WindowSize:
		return false
	}
	return w.seen[c/64%windowWords]&(1<<(c%64)) == 0
}

// clear empties the words that the move from next to c begins to use.
func (w *window) clear(next, c uint64) {
	// next itself begins a word, or its word is in use up to next-1.
	first, last := (next+63)/64, c/64
	if last >= first+windowWords {
		first = last - windowWords + 1
	}
	for i := first; i <= last; i++ {
		w.seen[i%windowWords] = 0
	}
}
