package gossip

import (
	"slices"
	"time"
)

// homeWait is how long a node that has started waits for a hub before it speaks to members.
const homeWait = 5 * time.Second

// A gate keeps a node that has started from members until a hub has said what there is: a
// member removed meanwhile must not get in.
type gate struct {
	hubs  []Peer
	until time.Time
	open  bool
}

// opens reports that the gate opens now.
func (g *gate) opens(now time.Time, m *Machine, id ID) bool {
	if g.open {
		return false
	}
	g.open = len(g.hubs) == 0 || !now.Before(g.until) || slices.ContainsFunc(g.hubs, func(h Peer) bool { return m.level(h, id) })
	return g.open
}

// level reports whether nothing is to be had of a peer: it has said what it holds, or cannot.
func (m *Machine) level(p Peer, id ID) bool {
	if x := m.peers[p]; x != nil && !x.capable {
		return true
	}
	n, l := m.shared(p, id)
	return l != nil && l.theirs != nil && !behind(&n.held, l.theirs) && (l.settled || n.held.Removals == l.theirs.Removals)
}
