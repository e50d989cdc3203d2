package sleep

import "time"

const (
	// wakeEvery and wakeBurst bound the wakes of a node: so many at once, and then one
	// in each wakeEvery.
	wakeEvery = 100 * time.Millisecond
	wakeBurst = 50
)

// Wakes bounds how many sessions a node wakes: a scan of a network's addresses
// would wake everybody. Sessions for which packets wait come before those that
// something else wants, each in the order in which they came. The zero value has
// woken nothing. K names a session.
type Wakes[K comparable] struct {
	fullAt time.Time // when wakeBurst may wake again (GCRA)
	queues [2]queue[K]
	where  map[K]int // queue in which a session waits
}

// A queue has its sessions in the order in which they came; one that is not in where
// any more, or in another queue, is passed over.
type queue[K comparable] []K

const (
	first = iota // packets wait
	later
)

// Want asks for a session to be woken, once. With packets it comes before those
// without, also if it waits already.
func (w *Wakes[K]) Want(k K, packets bool) {
	q := later
	if packets {
		q = first
	}
	if old, waits := w.where[k]; waits && old <= q {
		return
	}
	if w.where == nil {
		w.where = make(map[K]int)
	}
	w.where[k] = q
	w.queues[q] = append(w.queues[q], k)
}

// Forget takes a session out: it is awake, or removed.
func (w *Wakes[K]) Forget(k K) { delete(w.where, k) }

// Waiting is how many sessions wait.
func (w *Wakes[K]) Waiting() int { return len(w.where) }

// Next is a session to be woken now; false: none may be, or none waits.
func (w *Wakes[K]) Next(now time.Time) (k K, ok bool) {
	if len(w.where) == 0 || now.Before(w.nextAt()) {
		return k, false
	}
	for q := range w.queues {
		for len(w.queues[q]) > 0 {
			k, w.queues[q] = w.queues[q][0], w.queues[q][1:]
			if in, waits := w.where[k]; waits && in == q {
				delete(w.where, k)
				w.spend(now)
				return k, true
			}
		}
		w.queues[q] = nil
	}
	return k, false
}

// Deadline is when Next has a session; the zero time: none waits.
func (w *Wakes[K]) Deadline() time.Time {
	if len(w.where) == 0 {
		return time.Time{}
	}
	return w.nextAt()
}

// nextAt is when one may be woken.
func (w *Wakes[K]) nextAt() time.Time { return w.fullAt.Add(-(wakeBurst - 1) * wakeEvery) }

func (w *Wakes[K]) spend(now time.Time) {
	if w.fullAt.Before(now) {
		w.fullAt = now
	}
	w.fullAt = w.fullAt.Add(wakeEvery)
}
