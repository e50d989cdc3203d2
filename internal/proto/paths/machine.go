package paths

import (
	"net/netip"
	"time"
)

// A Machine is the path policy of one session with one peer: it takes events and
// hands over what the rules decide.
type Machine struct {
	reach
	ids ID
}

// New makes a machine without paths.
func New(cfg Config) *Machine {
	return &Machine{reach: reach{rules: rules{cfg: cfg}, spray: newSpray(cfg.Sprayed)}}
}

// NewNonce returns a nonce that no probe of the machine has or will have, for one
// that the session sends on its own.
func (m *Machine) NewNonce() uint64 {
	return m.nonce()
}

// Observe takes the facts for the next event.
func (m *Machine) Observe(f Facts) {
	if p := m.paths.find(f.HeardOn); p != nil {
		m.gates.hear(p.Remote, p.Local, f.LastHeard) // before this host's address may have changed
	}
	for _, s := range f.Paths {
		if p := m.paths.find(s.ID); p != nil {
			m.gates.hear(s.Remote, p.Local, s.Heard)
			p.see(s)
		}
	}
	m.facts.take(f)
	m.size.sent(f.WideSent)
}

// Tick reports that time has passed.
func (m *Machine) Tick(now time.Time) []Action {
	for range 4 { // what a pass brings about may be due at once
		m.pass(now)
		if d := m.Deadline(); d.IsZero() || d.After(now) {
			break
		}
	}
	return m.done()
}

// Deadline is when Tick is due next; the zero time means never. It is valid until
// the next event.
func (m *Machine) Deadline() time.Time {
	first := m.choice.giveUp()
	if m.choice.phase == Up {
		first = earliest(first, m.inflow.deadline())
	}
	if m.choice.phase == Up && m.choice.using != nil {
		every := m.gates.heartbeat(m.choice.using, m.cfg.Heartbeat)
		first = earliest(first, m.live.deadline(m.facts.heardOn(m.choice.using), every, m.facts.Slots), m.gates.closes(m.choice.using))
	}
	for _, p := range m.paths {
		first = earliest(first, p.conn.closeAt)
		if m.facts.Keys && p != m.choice.using && p.probable() {
			first = earliest(first, p.probe.deadline())
		}
		if m.facts.Keys && p != m.choice.using && p.direct() {
			first = earliest(first, m.gates.closes(p))
		}
	}
	at, _ := m.askAt(m.choice.began)
	first = earliest(first, m.contest.deadline(), m.hubs.deadline(), m.meet.deadline(m.facts.Keys), at)
	if !m.facts.Keys {
		return first
	}
	if m.choice.using != nil {
		first = earliest(first, m.size.deadline())
	}
	return earliest(first, m.seek.spreadAt)
}

// A Summary is what others are told of the machine.
type Summary struct {
	Using   ID             // 0: packets wait
	Stream  ID             // path whose connection has the ordered channels; 0: none
	RTT     time.Duration  // of the path in use; 0: unknown
	Seen    netip.AddrPort // where the peer sees us on it
	Inbound bool           // it is a TCP connection that the peer dialled
	Peer    netip.AddrPort // where the peer was last reached
	UDP     netip.AddrPort // where its UDP socket was last
	Prefers string         // the kind that the user prefers; empty: the best
	Watch   bool           // the first packet to leave from now on is news: report Sent
	WatchIn bool           // the first packet to come from now on is news: report Came
	Via     Hub            // that forwards on it; 0: none
	Why     string         // it is not direct: a word of why; empty: it is
}

// Summary returns a snapshot.
func (m *Machine) Summary() Summary {
	s := Summary{RTT: m.live.roundTrip, Peer: m.seek.peer, UDP: m.seek.udp, Prefers: m.prefer.kind.Name,
		Watch: m.choice.phase == Up && !m.live.watching(), Stream: m.stream(), Why: m.why(),
		WatchIn: m.choice.phase == Up && m.inflow.wants() && m.gates.mayClose(m.choice.using)}
	if p := m.choice.using; p != nil {
		s.Using, s.Seen, s.Inbound, s.Via = p.id, p.proof.seen, p.Inbound, p.Via
		if s.RTT == 0 { // no heartbeat yet: a probe's; a connection's own counts its handshake
			s.RTT = p.proof.rtt
		}
	}
	return s
}

// Proves reports whether a path is proven.
func (m *Machine) Proves(id ID) bool {
	p := m.paths.find(id)
	return p != nil && p.proof.proven
}

// Stays reports whether the connection of a path is the one of its link that
// stays.
func (m *Machine) Stays(id ID) bool {
	p := m.paths.find(id)
	return p != nil && p.conn.main
}
