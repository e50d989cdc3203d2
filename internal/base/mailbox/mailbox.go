// Package mailbox hands work of any goroutine to the loop that owns some state.
//
// Posting never blocks. Calls are never lost; those that a stranger can cause are
// bounded. The loop waits for Wake, takes what waits and runs it in order.
package mailbox

import (
	"sync"
	"time"
)

// A Mailbox is the queue of calls to one loop.
type Mailbox struct {
	limit  int
	wake   chan struct{} // capacity 1
	mu     sync.Mutex
	calls  []func(now time.Time)
	posted int // bounded ones among the calls
	closed bool
}

// New makes a mailbox that holds at most limit bounded calls.
func New(limit int) *Mailbox { return &Mailbox{limit: limit, wake: make(chan struct{}, 1)} }

// Wake is sent to when something waits.
func (m *Mailbox) Wake() <-chan struct{} { return m.wake }

// Post hands a call to the loop; it reports false when the loop has ended.
func (m *Mailbox) Post(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(f)
}

// PostBounded is Post for what a stranger can cause; it reports false also when as
// many as the limit wait.
func (m *Mailbox) PostBounded(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
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

// Close refuses further calls and returns those that still waited.
func (m *Mailbox) Close() []func(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	calls := m.calls
	m.calls = nil
	return calls
}
