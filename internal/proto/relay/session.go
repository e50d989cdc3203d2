package relay

import "time"

// Up reports a session with a peer that takes circuits and the frames of meeting:
// it is established, or something of it has changed. Another incarnation of the peer
// knows nothing of what was before.
func (m *Machine) Up(now time.Time, did DID, s Session) []Action {
	m.begin(now)
	p := m.peers[did]
	if p != nil && p.facts.incarnation != s.Incarnation {
		m.forget(p)
		p = nil
	}
	if p == nil {
		p = m.enter(did)
	}
	p.facts.take(s)
	m.judge(p)
	return m.actions
}

// Ended reports that a session has left the states in which records flow or may
// flow again soon: established, rotating and degraded.
func (m *Machine) Ended(now time.Time, did DID) []Action {
	m.begin(now)
	if p := m.peers[did]; p != nil {
		m.forget(p)
	}
	return m.actions
}

// Measured reports the round-trip time of a session.
func (m *Machine) Measured(did DID, rtt time.Duration) {
	if p := m.peers[did]; p != nil {
		p.facts.measured(rtt)
	}
}

// Allow changes for whom the node is a hub.
func (m *Machine) Allow(now time.Time, mode Mode) []Action {
	m.begin(now)
	m.cfg.Mode = mode
	for _, p := range m.list {
		m.judge(p)
	}
	return m.actions
}

// Moved reports that the hub sends to a peer by another path than before: its legs
// need labels that nobody has seen on the old one.
func (m *Machine) Moved(now time.Time, did DID) []Action {
	m.begin(now)
	p := m.peers[did]
	if p == nil {
		return m.actions
	}
	for _, q := range p.pairs {
		if q.circuit.stands() {
			i := q.index(p)
			m.unlinger(q, i)
			q.legs[i].move(m.cfg.Draw(), now)
			m.fill(q, i, q.legs[i].in)
			m.tell(q, i)
			m.part(q)
		}
	}
	return m.actions
}

// Home reports HOME: a peer wants to be at home here for so long, 0 no longer. The
// answer says for how long it is, 0 for not at all.
func (m *Machine) Home(now time.Time, from DID, lifetime time.Duration) []Action {
	m.begin(now)
	p := m.peers[from]
	if p == nil || !p.home.asked(now) {
		return m.actions
	}
	if !m.cfg.admits(p) {
		lifetime = 0
	}
	if lifetime = max(0, min(lifetime, homeMost)); lifetime > 0 {
		if !p.home.is() {
			m.homes++
		}
		p.home.stay(now.Add(lifetime))
		m.timers.set(&p.alarm, p.home.homeEnds)
	}
	a := Action{Op: SendHome, To: p.did, Lifetime: lifetime}
	if lifetime > 0 {
		a.Left = m.left(p)
	}
	m.do(a)
	if lifetime == 0 {
		m.leaves(p)
	}
	return m.actions
}
