package session

import (
	"context"
	"sort"
)

// A Watch reads transitions in order: those that the manager keeps, then each
// new one, without a gap or a duplicate. It is a place in the manager's history,
// so it costs nothing while nobody reads, and a reader who is too slow for it
// loses the oldest of a peer and is told how many. It is for one goroutine and
// needs no Close.
type Watch struct {
	m     *Manager
	next  uint64   // number of the transition to return next
	begun uint64   // number of the next one when it began
	there []uint64 // numbers of those that were kept then, ascending
}

// Watch begins at the oldest transition kept.
func (m *Manager) Watch() *Watch {
	there, end := m.history.numbers()
	return &Watch{m: m, begun: end, there: there}
}

// Next returns the next transition, waiting for it, and how many were lost just
// before it. The error is the context's, or ErrClosed after the manager's end,
// once nothing is left.
func (w *Watch) Next(ctx context.Context) (t Transition, missed uint64, err error) {
	for {
		t, number, ok, changed := w.m.history.at(w.next)
		if ok {
			missed = w.missed(number)
			w.next = number + 1
			return t, missed, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Transition{}, 0, ctx.Err()
		case <-w.m.ctx.Done(): // after the last transition
			if _, _, more, _ := w.m.history.at(w.next); !more {
				return Transition{}, 0, ErrClosed
			}
		}
	}
}

// missed is how many transitions were kept when the reader began, or came since,
// and are gone between its place and number.
func (w *Watch) missed(number uint64) (n uint64) {
	from := sort.Search(len(w.there), func(i int) bool { return w.there[i] >= w.next })
	to := sort.Search(len(w.there), func(i int) bool { return w.there[i] >= number })
	w.there = w.there[to:]
	n = uint64(to - from)
	if since := max(w.next, w.begun); number > since {
		n += number - since
	}
	return n
}

// numbers returns the numbers of what is kept, and that of the one to come.
func (h *history) numbers() (kept []uint64, end uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.kept {
		if !x.gone {
			kept = append(kept, x.n)
		}
	}
	return kept, h.added
}

// at returns transition number n, or the first kept after it if that one is
// gone; or, if it is still to come, what is closed when it has.
func (h *history) at(n uint64) (t Transition, number uint64, ok bool, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.kept[h.find(n):] {
		if !x.gone {
			return x.t, x.n, true, nil
		}
	}
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return Transition{}, 0, false, h.changed
}
