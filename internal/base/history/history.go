// Package history keeps the newest events of many sources, each bounded, so that a
// source with many events pushes out its own past before that of others, and lets
// readers follow them.
//
// All events are in one sequence. A Reader is a place in it: it costs nothing while
// nobody reads, and one that is too slow loses the oldest of a source and is told
// how many.
package history

import (
	"slices"
	"sort"
	"sync"
)

// A History of events of type T by sources of type K. Its methods are safe for
// concurrent use.
type History[K comparable, T any] struct {
	each, total int // at most kept of one source, and of all

	mu      sync.Mutex
	kept    []entry[T]     // by number; dropped ones are marked until they outnumber the others
	dropped int            // how many are marked
	numbers map[K][]uint64 // of the entries of each source that are kept, ascending
	added   uint64         // ever: the number of the next one, from 0
	changed chan struct{}  // closed with the next one; nil: no reader waits
}

type entry[T any] struct {
	number  uint64
	dropped bool
	event   T
}

// New keeps the newest each events of a source and total of all: beyond that the
// source with the most loses its oldest.
func New[K comparable, T any](each, total int) *History[K, T] {
	return &History[K, T]{each: each, total: total, numbers: make(map[K][]uint64)}
}

// Add appends an event of a source.
func (h *History[K, T]) Add(source K, event T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, entry[T]{number: h.added, event: event})
	h.numbers[source] = append(h.numbers[source], h.added)
	h.added++
	if len(h.numbers[source]) > h.each {
		h.drop(source)
	} else if len(h.kept)-h.dropped > h.total {
		h.drop(h.largest())
	}
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// drop forgets the oldest event of a source.
func (h *History[K, T]) drop(source K) {
	numbers := h.numbers[source]
	h.kept[h.find(numbers[0])].dropped = true
	h.dropped++
	if numbers = slices.Delete(numbers, 0, 1); len(numbers) == 0 {
		delete(h.numbers, source)
	} else {
		h.numbers[source] = numbers
	}
	if 2*h.dropped > len(h.kept) {
		h.kept = slices.DeleteFunc(h.kept, func(e entry[T]) bool { return e.dropped })
		h.dropped = 0
	}
}

// largest is the source of which most is kept; of several, the one with the oldest
// event.
func (h *History[K, T]) largest() (source K) {
	most, oldest := 0, uint64(0)
	for k, numbers := range h.numbers {
		if n := len(numbers); n > most || n == most && numbers[0] < oldest {
			source, most, oldest = k, n, numbers[0]
		}
	}
	return source
}

// find is the index of the first entry with a number or a later one.
func (h *History[K, T]) find(number uint64) int {
	return sort.Search(len(h.kept), func(i int) bool { return h.kept[i].number >= number })
}

// All returns the events that are kept, oldest first.
func (h *History[K, T]) All() (all []T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.kept {
		if !e.dropped {
			all = append(all, e.event)
		}
	}
	return all
}

// Added is how many events were added ever.
func (h *History[K, T]) Added() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.added
}
