package relay

import "time"

// An alarm is when something of a pair or a peer is due.
type alarm struct {
	at    time.Time
	place int // in the heap, from 1; 0: not set
	pair  *pair
	peer  *peer
}

// timers is a heap of alarms, the earliest first.
type timers struct{ heap []*alarm }

// first is the earliest alarm; nil for none.
func (t *timers) first() *alarm {
	if len(t.heap) == 0 {
		return nil
	}
	return t.heap[0]
}

// set moves an alarm to a time; the zero time stops it.
func (t *timers) set(a *alarm, at time.Time) {
	if at.IsZero() {
		t.stop(a)
		return
	}
	a.at = at
	if a.place == 0 {
		t.heap = append(t.heap, a)
		a.place = len(t.heap)
	}
	t.down(t.up(a.place - 1))
}

// stop takes an alarm out.
func (t *timers) stop(a *alarm) {
	if a.place == 0 {
		return
	}
	i, last := a.place-1, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	if a.place = 0; i < last {
		t.down(t.up(i))
	}
}

func (t *timers) up(i int) int {
	for i > 0 && t.heap[i].at.Before(t.heap[(i-1)/2].at) {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	return i
}

func (t *timers) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(t.heap); c++ {
			if t.heap[c].at.Before(t.heap[least].at) {
				least = c
			}
		}
		if least == i {
			return
		}
		t.swap(i, least)
		i = least
	}
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].place, t.heap[j].place = i+1, j+1
}

// earliest is the first of two times; the zero time is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// due reports whether a time has come; the zero time never does.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }
