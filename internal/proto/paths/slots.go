package paths

import "time"

const (
	// slotGap is the time between two slots.
	slotGap = 5 * time.Second
	// slotMargin is how long before it is due what waits for a slot leaves at least: before
	// a peer without slots sends its own, which would wake this node up once more.
	slotMargin = time.Second
	// slotLeast is the shortest wait that a slot may cut short.
	slotLeast = 12 * time.Second
	// slotKeep is how long nothing is sent on a connection of QUIC until it keeps itself
	// alive, at a time of its own: in slots it is probed before.
	slotKeep = 25 * time.Second
)

// Slots are times at which heartbeats and slow probes of all sessions of a node leave, so
// that it wakes up once for many of them. What waits for a slot leaves early, by less than
// slotGap and slotMargin together, and never late. Each node has its own. The zero Slots
// are none: each session sends when it is due.
type Slots struct{ From time.Time } // one of them

// early is the slot at which something leaves that is due at a time after a wait.
func (s Slots) early(at time.Time, wait time.Duration) time.Time {
	last := at.Add(-slotMargin)
	if since := last.Sub(s.From); !s.From.IsZero() && wait >= slotLeast && since >= 0 {
		return last.Add(-(since % slotGap))
	}
	return at
}

// Next is the first slot from a time on.
func (s Slots) Next(from time.Time) time.Time {
	return from.Add((slotGap - from.Sub(s.From)%slotGap) % slotGap)
}

// any reports whether there are slots.
func (s Slots) any() bool { return !s.From.IsZero() }
