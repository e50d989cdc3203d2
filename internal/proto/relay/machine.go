package relay

import "time"

// A Machine is a hub's policy of meetings and circuits: it takes events and hands
// over what the rules decide. A list of actions is valid until the next event.
type Machine struct{ rules }

// New makes a machine without sessions.
func New(cfg Config) *Machine {
	return &Machine{rules{cfg: cfg.withDefaults(), peers: make(map[DID]*peer), pairs: make(map[[2]*peer]*pair), circuits: make(map[Circuit]*pair)}}
}

// Tick reports that time has passed.
func (m *Machine) Tick(now time.Time) []Action {
	m.begin(now)
	for a := m.timers.first(); a != nil && due(a.at, now); a = m.timers.first() {
		if a.peer != nil {
			m.leaves(a.peer)
		} else {
			m.pairDue(a.pair)
		}
	}
	return m.actions
}

// Deadline is when Tick is due next; the zero time means never. It is valid until
// the next event.
func (m *Machine) Deadline() time.Time {
	if a := m.timers.first(); a != nil {
		return a.at
	}
	return time.Time{}
}

// Counts are what has happened since the machine was made.
type Counts struct {
	Meetings uint64 // MEET passed on, each meeting once
	Circuits uint64 // made
	Absent   uint64 // refusals for a cause that is not the hub's own
	Limited  uint64 // refusals for one of the hub's limits
	Idle     uint64 // circuits that ended unused
}

// A Summary is what others are told of the machine.
type Summary struct {
	Mode     Mode
	Peers    int // with a session
	Homes    int // of them at home here
	Meetings int // under way
	Circuits int
	Counts   Counts
}

// Summary returns a snapshot.
func (m *Machine) Summary() Summary {
	return Summary{Mode: m.cfg.Mode, Peers: len(m.peers), Homes: m.homes, Meetings: m.meetings, Circuits: len(m.circuits), Counts: m.counts}
}

// AtHome reports whether a peer is at home here.
func (m *Machine) AtHome(did DID) bool {
	p := m.peers[did]
	return p != nil && p.home.is()
}
