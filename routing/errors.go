package routing

import (
	"errors"
	"fmt"
	"net/netip"
)

// What the functions of this package report, each wrapped in a sentence.
var (
	ErrPrefix = errors.New("routing: not a usable prefix")
	ErrMTU    = errors.New("routing: route MTU out of range")
	ErrTaken  = errors.New("routing: prefix has a route already")
	ErrNoIPv6 = errors.New("routing: IPv6 is switched off on this host")
	ErrClosed = errors.New("routing: closed")
)

// ConflictError is Insert's refusal of a prefix that another owner has.
type ConflictError[T comparable] struct {
	Prefix netip.Prefix
	Owner  T
}

// Error names the owner only if it has a String method or is a string: others
// may hold what must not be in a message.
func (e *ConflictError[T]) Error() string {
	owner := "another peer"
	switch o := any(e.Owner).(type) {
	case string:
		owner = o
	case fmt.Stringer:
		owner = o.String()
	}
	return fmt.Sprintf("routing: %s already belongs to %s", e.Prefix, owner)
}
