package link

import (
	"sync"
	"sync/atomic"
)

// Counters keep what a plane has counted, over times in which it is awake and in which
// it rests, see Plane.Wake. While it is awake it has an A, with a Traffic in it. The zero
// value rests and has counted nothing.
//
// The mutex is held to change between the two; the plane may guard more by it. Awake,
// Traffic and Total take care of it themselves.
type Counters[A any, P counting[A]] struct {
	sync.Mutex
	awake atomic.Pointer[A] // nil: the plane rests; changed with the mutex held
	past  *Tally            // of one that rests; nil: nothing
}

// counting is the pointer to what has a Traffic in it.
type counting[A any] interface {
	*A
	Traffic() *Traffic
}

// Awake is what the plane has while it is awake; nil: it rests.
func (c *Counters[A, P]) Awake() *A { return c.awake.Load() }

// Traffic counts while the plane is awake. Of one that rests it is a copy.
func (c *Counters[A, P]) Traffic() *Traffic {
	if a := c.awake.Load(); a != nil {
		return P(a).Traffic()
	}
	c.Lock()
	defer c.Unlock()
	if a := c.awake.Load(); a != nil {
		return P(a).Traffic()
	}
	return c.past.Traffic()
}

// Total is that of Traffic. It allocates nothing.
func (c *Counters[A, P]) Total() Moved {
	if a := c.awake.Load(); a != nil {
		return P(a).Traffic().Total()
	}
	c.Lock()
	defer c.Unlock()
	if a := c.awake.Load(); a != nil {
		return P(a).Traffic().Total()
	}
	return c.past.Total()
}

// Wake puts a, which has counted nothing, in use with what was counted before. The
// plane rests and the caller holds the mutex.
func (c *Counters[A, P]) Wake(a *A) {
	c.past.AddTo(P(a).Traffic())
	c.past = nil
	c.awake.Store(a)
}

// Rest keeps what was counted and nothing else. The plane is awake and the caller holds
// the mutex.
func (c *Counters[A, P]) Rest() {
	c.past = P(c.awake.Load()).Traffic().Tally()
	c.awake.Store(nil)
}
