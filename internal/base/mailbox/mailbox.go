// Package mailbox hands work of any goroutine to the loop that owns some state.
//
// Posting never blocks. Calls are never lost; those that a stranger can cause are
// bounded. The loop waits for Wake, takes what waits and runs it in order.
//
// A loop may rest: it ends while no call waits, and a call that is posted later
// starts another. Rest and Post exclude each other, so that no call is left in a
// mailbox whose loop has gone.
package mailbox

import (
	"sync"
	"time"
)

// A Mailbox is the queue of calls to one loop. Each peer has one, also those that
// sleep: the order of the fields leaves no gaps.
type Mailbox struct {
	start func()        // starts a loop; called with mu held
	wake  chan struct{} // capacity 1; nil while the loop rests

	mu     sync.Mutex
	calls  []func(now time.Time)
	limit  uint16
	posted uint16 // bounded ones among the calls
	closed bool
}

// New makes a mailbox that holds at most limit bounded calls, of a loop that runs.
func New(limit uint16) *Mailbox { return &Mailbox{limit: limit, wake: make(chan struct{}, 1)} }

// Init makes m one whose loop rests. start begins a goroutine that calls Wake and is
// the loop; it returns at once, and is called by whoever posts.
func (m *Mailbox) Init(limit uint16, start func()) { m.limit, m.start = limit, start }

// Wake is sent to when something waits. A loop asks once.
func (m *Mailbox) Wake() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wake
}

// Post hands a call to the loop, which is started if it rests; it reports false when
// the loop has ended for good.
func (m *Mailbox) Post(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(f)
}

// Tell is Post for what means nothing to a loop that rests: then it reports false.
func (m *Mailbox) Tell(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wake != nil && m.put(f)
}

// PostBounded is Post for what a stranger can cause; it reports false also when as
// many as the limit wait.
func (m *Mailbox) PostBounded(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.putBounded(f)
}

// TellBounded is Tell with the bound of PostBounded.
func (m *Mailbox) TellBounded(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wake != nil && m.putBounded(f)
}

func (m *Mailbox) putBounded(f func(now time.Time)) bool {
	if m.posted == m.limit {
		return false
	}
	m.posted++
	return m.put(func(now time.Time) {
		m.mu.Lock()
		m.posted--
		m.mu.Unlock()
		f(now)
	})
}

func (m *Mailbox) put(f func(now time.Time)) bool {
	if m.closed {
		return false
	}
	m.calls = append(m.calls, f)
	if m.wake == nil {
		m.wake = make(chan struct{}, 1)
		m.start()
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

// Take returns the calls that wait, in order.
func (m *Mailbox) Take() []func(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}

// Rest lets the loop end, unless a call waits: then it reports false and the loop goes
// on. last runs before the next loop can start.
func (m *Mailbox) Rest(last func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.start == nil || len(m.calls) > 0 {
		return false
	}
	last()
	m.wake = nil
	return true
}

// Resting runs f while the loop rests, and keeps it from starting meanwhile; it
// reports false, and does not, when the loop runs or has ended for good. f must not
// post.
func (m *Mailbox) Resting(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wake != nil || m.closed {
		return false
	}
	f()
	return true
}

// CloseResting is Close of a loop that rests; it reports false, and does nothing, for
// one that runs.
func (m *Mailbox) CloseResting(last func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wake != nil || m.closed {
		return false
	}
	last()
	m.closed = true
	return true
}

// Close refuses further calls and returns those that still waited.
func (m *Mailbox) Close() []func(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	calls := m.calls
	m.calls = nil
	return calls
}
