package mailbox

import "sync"

// Newest holds the newest few values since they were last taken, in order.
type Newest[T any] struct {
	mu     sync.Mutex
	values []T
}

// Add keeps a value in place of the oldest one when there are limit already. It
// reports whether none waited before.
func (n *Newest[T]) Add(v T, limit int) (first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first = len(n.values) == 0
	if len(n.values) >= limit {
		n.values = append(n.values[:0], n.values[1:]...)
	}
	n.values = append(n.values, v)
	return first
}

// Take returns the values that wait.
func (n *Newest[T]) Take() []T {
	n.mu.Lock()
	defer n.mu.Unlock()
	values := n.values
	n.values = nil
	return values
}
