package paths

import "time"

// use sends everything on a path from now on; nil lets packets wait.
func (m *rules) use(p *path, now time.Time) {
	before := m.choice.using
	if p == before {
		return
	}
	if before != nil {
		before.probe.schedule(now.Add(standbyGap))
	}
	m.choice.take(p)
	if p == nil {
		m.size.end()
		m.contest.rest()
		m.do(Action{Op: Use})
		return
	}
	m.live.idle()
	if p.isQUIC() {
		m.memory.forget() // earned back
		m.seek.again(now) // its remote may be a new one
	}
	if p.direct() && m.paths.streamsThrough() {
		m.seek.again(now) // QUIC is dialled there, and the circuit's connection ends
	}
	if !p.Inbound && p.Via == 0 {
		m.seek.reach(p.Remote)
	}
	m.size.begin(p, now)
	p.probe.settle()
	m.contest.moved(p, now)
	m.do(Action{Op: Use, ID: p.id})
	if before != nil && before.Kind.Name == p.Kind.Name && before.Remote != p.Remote {
		m.do(Action{Op: Rotate})
	}
	m.retire(now)
}

// choose moves to the best path that is ready, unless the one in use is better.
// One that has not answered since a path was lost is as good as that one. Leaving
// a dead path is not its business: lose does that, at once.
func (m *rules) choose(now time.Time) {
	best := m.choice.using
	for _, p := range m.paths {
		if p.ready() && p.proof.heard.After(m.choice.trouble) && m.cfg.allowed(p) && m.gates.of(p, now) == OpenGate &&
			(best == nil || m.rank(p) < m.rank(best)) {
			best = p
		}
	}
	if best != m.choice.using && !m.awaitsBetter(best, now) {
		m.use(best, now)
	}
}

// awaitsBetter reports whether a return to p can wait, because a better path is
// about to earn its own: one move is better than two.
func (m *rules) awaitsBetter(p *path, now time.Time) bool {
	if !p.hold.lost || m.choice.using == nil || m.live.doubtful() {
		return false
	}
	for _, x := range m.paths {
		if m.rank(x) < m.rank(p) && m.cfg.allowed(x) && x.proof.proven && !x.ready() && x.hold.soon(now) {
			return true
		}
	}
	return false
}

// lose gives up the path in use. Another one that has answered since the trouble
// began takes over at once, one whose hold-down runs only if there is no other;
// without one the session is degraded.
func (m *rules) lose(now time.Time) {
	p, trouble := m.choice.using, m.live.first
	m.choice.suffer(trouble)
	if p != nil {
		p.hold.fail(now, p.Local)
		if !p.Kind.Conn {
			p.proof.revoke()
		}
		if p.direct() {
			m.do(Action{Op: Unpin, ID: p.id})
		}
		p.probe.begin(now)
	}
	if next := m.successor(p, trouble, now); next != nil {
		m.use(next, now)
		return
	}
	m.cutOff(now)
}

// successor is the path that takes over from one that is lost.
func (m *rules) successor(lost *path, trouble, now time.Time) (next *path) {
	for _, p := range m.paths {
		if p == lost || !p.proof.proven || !m.cfg.allowed(p) || !p.proof.heard.After(trouble) || m.gates.of(p, now) != OpenGate {
			continue
		}
		if next == nil || p.ready() && !next.ready() || p.ready() == next.ready() && m.rank(p) < m.rank(next) {
			next = p
		}
	}
	return next
}

// cutOff says that no path answers.
func (m *rules) cutOff(now time.Time) {
	m.do(Action{Op: Lost})
	m.degrade(now)
}

// degrade lets packets wait and looks for the peer, at once: every path that
// there is gets probed.
func (m *rules) degrade(now time.Time) {
	m.choice.enter(Degraded, now)
	m.use(nil, now)
	m.live.idle()
	for _, p := range m.paths {
		if p.probable() {
			p.probe.schedule(now)
		}
	}
}

// enter begins a phase. What was lost may answer again by another uplink.
func (m *rules) enter(p Phase, now time.Time) {
	from := m.choice.phase
	m.choice.enter(p, now)
	if p == Up && (from == Degraded || from == Suspended) {
		m.hurry(now)
	}
}

// answers lets a path that answers take its part, unless its remote has closed since.
func (m *rules) answers(p *path, now time.Time) {
	if !m.cfg.allowed(p) || m.gates.of(p, now) != OpenGate {
		return
	}
	switch m.choice.phase {
	case Trying, Degraded, Suspended:
		if !m.facts.Keys {
			return
		}
		m.use(p, now)
		m.do(Action{Op: Restored})
		m.enter(Up, now)
	case Up:
		m.follow(now)
		m.choose(now)
	}
}

// follow moves to where the peer's records come from since none comes by the
// direct path in use, or where QUIC has moved, when that is proven and direct too:
// the peer has a new address.
func (m *rules) follow(now time.Time) {
	old := m.choice.using
	if old == nil || !old.direct() {
		return
	}
	for _, p := range m.paths {
		if p == old || !p.direct() || !p.proof.proven || p.hold.lost || m.gates.of(p, now) != OpenGate {
			continue
		}
		if p.roam.shown || m.source.last(p, &m.facts).After(m.source.last(old, &m.facts)) {
			p.roam.taken()
			m.use(p, now)
			m.remove(old)
			return
		}
	}
}

// remove forgets a path.
func (m *rules) remove(p *path) {
	m.source.forget(p)
	m.memory.keep(p)
	m.paths = m.paths.without(p)
	m.do(Action{Op: Drop, ID: p.id})
}
