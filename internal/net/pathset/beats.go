package pathset

import (
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// Of fewer sessions that send to their peers the heartbeats are rare, and of more a slot
// would send too many packets at once, which saves nothing: each slot has some.
const (
	beatsLeast = 8
	beatsMost  = 1024
)

// Beats have the sessions of a node send their heartbeats and rotate together: they are
// what its Sets share. Any goroutine may use them.
type Beats struct {
	from  time.Time
	users atomic.Int32 // Sets with a path in use
}

// NewBeats makes those of a node that starts now.
func NewBeats(now time.Time) *Beats { return &Beats{from: now} }

// slots are for a node with so many sessions. A nil Beats has none.
func (b *Beats) slots() (s paths.Slots) {
	if b != nil {
		if n := b.users.Load(); n >= beatsLeast && n <= beatsMost {
			s.From = b.from
		}
	}
	return s
}

// Next is the first slot from a time on; zero: there are none.
func (b *Beats) Next(from time.Time) time.Time {
	if s := b.slots(); s != (paths.Slots{}) {
		return s.Next(from)
	}
	return time.Time{}
}

// count notes that a Set begins or ceases to use a path.
func (b *Beats) count(before, now *route) {
	switch {
	case b == nil || (before == nil) == (now == nil):
	case now == nil:
		b.users.Add(-1)
	default:
		b.users.Add(1)
	}
}
