package sleep

import "time"

const (
	// wakeEvery and wakeBurst bound the wakes of a node: so many at once, and then one
	// in each wakeEvery.
	wakeEvery = 100 * time.Millisecond
	wakeBurst = 50
	// startSpread is the time over which sessions are begun for which nothing waits: all
	// that a node keeps are due when it starts.
	startSpread = time.Minute
)

// Wakes bounds how many sessions a node wakes or begins: a scan of a network's addresses
// would wake everybody. Sessions for which packets wait come before those that
// something else wants, each in the order in which they came; however many the latter
// are, each is admitted within startSpread if no packets wait. The zero value has
// woken nothing. K names a session.
type Wakes[K comparable] struct {
	fullAt time.Time // when wakeBurst may wake again (GCRA)
	queues [2]queue[K]
	where  map[K]int // queue in which a session waits
	waits  [2]int    // in each queue
	many   int       // that came to the later queue since it was empty
	paceAt time.Time // when the next of it may go, whatever fullAt says
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
	w.Forget(k)
	if w.where == nil {
		w.where = make(map[K]int)
	}
	w.where[k] = q
	w.queues[q] = append(w.queues[q], k)
	if w.waits[q]++; q == later {
		w.many++
	}
}

// Forget takes a session out: it is awake, or removed.
func (w *Wakes[K]) Forget(k K) {
	q, waits := w.where[k]
	if !waits {
		return
	}
	delete(w.where, k)
	if w.waits[q]--; w.waits[q] == 0 {
		w.queues[q] = nil
	}
	if w.waits[later] == 0 {
		w.many = 0
	}
}

// Waiting is how many sessions wait.
func (w *Wakes[K]) Waiting() int { return len(w.where) }

// Next is a session to be woken now; false: none may be, or none waits.
func (w *Wakes[K]) Next(now time.Time) (k K, ok bool) {
	spare := !now.Before(w.nextAt())
	switch {
	case spare && w.waits[first] > 0:
		w.spend(now)
		return w.take(first), true
	case w.waits[later] > 0 && (spare || !now.Before(w.paceAt)):
		if w.paceAt = now.Add(startSpread / time.Duration(w.many)); spare {
			w.spend(now)
		}
		return w.take(later), true
	}
	return k, false
}

// take is the next session of a queue in which one waits.
func (w *Wakes[K]) take(q int) K {
	for {
		k := w.queues[q][0]
		w.queues[q] = w.queues[q][1:]
		if in, waits := w.where[k]; waits && in == q {
			w.Forget(k)
			return k
		}
	}
}

// Deadline is when Next has a session; the zero time: none waits.
func (w *Wakes[K]) Deadline() time.Time {
	switch at := w.nextAt(); {
	case len(w.where) == 0:
		return time.Time{}
	case w.waits[later] > 0 && w.paceAt.Before(at):
		return w.paceAt
	default:
		return at
	}
}

// nextAt is when one may be woken.
func (w *Wakes[K]) nextAt() time.Time { return w.fullAt.Add(-(wakeBurst - 1) * wakeEvery) }

func (w *Wakes[K]) spend(now time.Time) {
	if w.fullAt.Before(now) {
		w.fullAt = now
	}
	w.fullAt = w.fullAt.Add(wakeEvery)
}
