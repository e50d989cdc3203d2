package paths

import (
	"slices"
	"time"
)

const (
	// circuitLife is how long a circuit outlives the move to a path that needs no hub.
	circuitLife = 2 * time.Minute
	// maxCircuits bounds the circuits of a session.
	maxCircuits = 4
	// circuitRank puts connections through circuits behind all others, also among
	// those that have the ordered channels.
	circuitRank = 16
)

// sizes are those that probes ask a path for, the largest first.
func (p *path) sizes() []int {
	if p.circuit() {
		return circuitSizes[:]
	}
	return probeSizes[:]
}

// least is the smallest record that qualifies a path whose size is found by probes.
func (p *path) least() int {
	if p.circuit() {
		return circuitSafe
	}
	return leastWide
}

// won makes the connection of a path the one of its kind that stays. One through a
// circuit never replaces a direct one.
func (l list) won(p *path) {
	for _, x := range l {
		if x.Kind.Name == p.Kind.Name && x.proof.proven && !x.through() && p.through() {
			return
		}
	}
	for _, x := range l {
		if x.Kind.Name == p.Kind.Name {
			x.conn.lose()
		}
	}
	p.conn.win()
}

// streamsThrough reports whether ordered channels have no connection but one through
// a circuit.
func (l list) streamsThrough() bool {
	through := false
	for _, p := range l {
		through = through || p.through()
	}
	return through && !l.has(QUIC)
}

// circuitOf is the newest circuit of a hub; nil for none.
func (l list) circuitOf(h Hub) (newest *path) {
	for _, p := range l {
		if p.circuit() && p.Via == h {
			newest = p
		}
	}
	return newest
}

// surplusCircuits are those that a new one replaces: of the same hub, or too many.
// The one in use stays.
func (l list) surplusCircuits(newest, using *path) (out list) {
	n := 0
	for i := len(l) - 1; i >= 0; i-- {
		p := l[i]
		if !p.circuit() || p == using || p == newest {
			continue
		}
		if n++; p.Via == newest.Via || n >= maxCircuits {
			out = append(out, p)
		}
	}
	return out
}

// idleCircuit lets a circuit end some time after a path that needs no hub is used.
func (l list) idleCircuit(p, using *path, now time.Time) {
	if using == nil || using.Via != 0 {
		p.conn.stay()
	} else {
		p.conn.retire(now.Add(circuitLife))
	}
}

// circuit begins with a new circuit.
func (m *reach) circuit(p *path, now time.Time) {
	for _, old := range m.paths.surplusCircuits(p, m.choice.using) {
		m.remove(old)
	}
	p.conn.win() // the peer's heartbeats on it count
	p.probe.begin(now)
	m.retire(now)
}

// carried takes the handshake over a connection through a circuit as the circuit's
// proof, at the size that is never lost.
func (m *reach) carried(p *path, now time.Time) {
	c := m.paths.circuitOf(p.Via)
	if c == nil || c.proof.proven || c.hold.lost || !m.cfg.allowed(c) {
		return
	}
	c.proof.handshake(now)
	c.hold.answers(now)
	if m.choice.using == nil || m.choice.phase != Up {
		m.use(c, now)
	}
}

// circuitsEnd ends what a hub forwards.
func (m *reach) circuitsEnd(h Hub, now time.Time) {
	for _, p := range slices.Clone(m.paths) {
		switch {
		case p.Via != h:
		case p.through():
			m.do(Action{Op: Hangup, ID: p.id, Why: "hub gone"})
			m.remove(p)
		default:
			if m.remove(p); p == m.choice.using {
				m.live.ended(now)
				m.lose(now)
			}
		}
	}
}

// hubs are those of the circuits.
func (l list) hubs() (all []Hub) {
	for _, p := range l {
		if p.circuit() {
			all = append(all, p.Via)
		}
	}
	return all
}
