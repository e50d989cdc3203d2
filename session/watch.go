package session

import "context"

// A Watch reads transitions in order: those that the manager keeps, then each
// new one, without a gap or a duplicate. It is a place in the manager's ring, so
// it costs nothing while nobody reads, and a reader who is too slow for the
// ring loses the oldest and is told how many. It is for one goroutine and needs
// no Close.
type Watch struct {
	m    *Manager
	next uint64 // number of the transition to return next
}

// Watch begins at the oldest transition kept.
func (m *Manager) Watch() *Watch {
	first, _ := m.history.span()
	return &Watch{m, first}
}

// Next returns the next transition, waiting for it, and how many were lost just
// before it. The error is the context's, or ErrClosed after the manager's end,
// once nothing is left.
func (w *Watch) Next(ctx context.Context) (t Transition, missed uint64, err error) {
	for {
		t, number, ok, changed := w.m.history.at(w.next)
		if ok {
			missed, w.next = number-w.next, number+1
			return t, missed, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Transition{}, 0, ctx.Err()
		case <-w.m.ctx.Done(): // after the last transition
			if _, end := w.m.history.span(); w.next == end {
				return Transition{}, 0, ErrClosed
			}
		}
	}
}

// span returns the number of the oldest transition kept and that of the one to
// come.
func (h *history) span() (first, end uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.added - uint64(len(h.ring)), h.added
}

// at returns transition number n, or the oldest kept if that one is gone; or,
// if it is still to come, what is closed when it has.
func (h *history) at(n uint64) (t Transition, number uint64, ok bool, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n >= h.added {
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		return Transition{}, 0, false, h.changed
	}
	first := h.added - uint64(len(h.ring))
	n = max(n, first)
	return h.ring[(h.start+int(n-first))%len(h.ring)], n, true, nil
}
