package history

import (
	"context"
	"errors"
	"sort"
)

// ErrEnded: the history has ended and the reader has seen all of it.
var ErrEnded = errors.New("history: no more events")

// A Reader reads events in order: those that are kept, then each new one, without
// a gap or a duplicate. It is for one goroutine.
type Reader[K comparable, T any] struct {
	h     *History[K, T]
	ended <-chan struct{}
	next  uint64   // number of the event to return next
	begun uint64   // number of the next one when the reader began
	there []uint64 // numbers of those that were kept then, ascending
}

// Reader begins at the oldest event that is kept. After ended is closed, no event
// is added.
func (h *History[K, T]) Reader(ended <-chan struct{}) *Reader[K, T] {
	r := &Reader[K, T]{h: h, ended: ended}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.kept {
		if !e.dropped {
			r.there = append(r.there, e.number)
		}
	}
	r.begun = h.added
	return r
}

// Next returns the next event, waiting for it, and how many were lost just before
// it. The error is the context's or ErrEnded.
func (r *Reader[K, T]) Next(ctx context.Context) (event T, missed uint64, err error) {
	for {
		event, number, ok, changed := r.h.at(r.next)
		if ok {
			missed = r.missed(number)
			r.next = number + 1
			return event, missed, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return event, 0, ctx.Err()
		case <-r.ended: // after the last event
			if _, _, more, _ := r.h.at(r.next); !more {
				return event, 0, ErrEnded
			}
		}
	}
}

// missed is how many events were kept when the reader began, or came since, and are
// gone between its place and number.
func (r *Reader[K, T]) missed(number uint64) (n uint64) {
	from := sort.Search(len(r.there), func(i int) bool { return r.there[i] >= r.next })
	to := sort.Search(len(r.there), func(i int) bool { return r.there[i] >= number })
	r.there = r.there[to:]
	n = uint64(to - from)
	if since := max(r.next, r.begun); number > since {
		n += number - since
	}
	return n
}

// at returns the event of a number, or the first that is kept after it if that one
// is gone; or, if it is still to come, what is closed when it has.
func (h *History[K, T]) at(number uint64) (event T, found uint64, ok bool, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.kept[h.find(number):] {
		if !e.dropped {
			return e.event, e.number, true, nil
		}
	}
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return event, 0, false, h.changed
}
