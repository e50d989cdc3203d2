package paths

import (
	"net/netip"
	"slices"
	"time"
)

// spread looks for better paths than the one in use, now and every 15 s while
// QUIC is missing: the direct path to where the peer's UDP socket was, and QUIC.
func (m *rules) spread(now time.Time) {
	m.seek.again(time.Time{})
	if !m.facts.Keys {
		return
	}
	if p := m.choice.using; p == nil || !p.direct() {
		m.seekDirect(now)
	}
	if !m.paths.has(QUIC) || m.prefer.lacks(TCP, m.paths) {
		m.spare(now)
		m.seek.again(now.Add(standbyGap))
	}
}

// seekDirect probes the direct path to where the peer's UDP socket is.
func (m *rules) seekDirect(now time.Time) {
	if p := m.choice.using; p != nil && m.followQUIC(p, now) {
		return
	}
	if m.seek.udp.IsValid() && m.gates.passes(m.seek.udp, now) {
		m.do(Action{Op: Open, Remote: m.seek.udp, Origin: Shown})
	}
}

// followQUIC looks where a connection of QUIC leads. The peer's system chooses its
// address packet by packet, so a new one, which QUIC has validated, is by which
// uplink the peer wants to be reached. Direct records leave from where ours come
// in; so ours have to go there first.
func (m *rules) followQUIC(p *path, now time.Time) bool {
	if !p.conn.main || !p.isQUIC() || p.Remote == m.seek.udp {
		return false
	}
	m.seek.meet(p.Remote)
	m.gates.hear(p.Remote, p.Local, now)
	m.do(Action{Op: Open, Remote: p.Remote, Origin: Followed})
	return true
}

// revisit proves a direct path anew to which QUIC has moved, with nothing held
// against it.
func (m *rules) revisit(p *path, now time.Time) {
	p.roam.show()
	p.hold.clear()
	p.probe.begin(now)
}

// spare dials the links that an established session lacks: QUIC always, μTCP
// while the path in use is in doubt or if it is preferred.
func (m *rules) spare(now time.Time) {
	m.dial(now, func(l Link) bool { return l == QUIC || m.live.doubtful() || m.prefer.lacks(l, m.paths) })
}

// dial dials the links that are wanted and have no connection. It reports whether
// there are any, and one may dial now.
func (m *rules) dial(now time.Time, wanted func(Link) bool) bool {
	if m.facts.Dialling || m.choice.phase != Up || now.Before(m.seek.spareAt) || !m.facts.Keep && !m.seek.peer.IsValid() {
		return false
	}
	links := slices.DeleteFunc(m.cfg.links(), func(l Link) bool { return m.paths.has(l) || !wanted(l) })
	a := Action{Op: Dial, Links: links}
	if m.gates.guarded {
		a.Remotes = m.gates.open(now, slices.Concat(m.paths.directRemotes(m.choice.using), m.gates.fixed, []netip.AddrPort{m.seek.udp, m.seek.peer})...)
	}
	if len(links) == 0 || m.gates.guarded && len(a.Remotes) == 0 {
		return false
	}
	m.seek.dialled(now)
	m.do(a)
	return true
}

// bound closes the oldest connection of a link that has too many.
func (m *rules) bound(newest *path, now time.Time) {
	for {
		p := m.paths.surplus(newest, m.choice.using)
		if p == nil {
			return
		}
		m.hangup(p, now)
	}
}

// hangup closes a connection that another one has replaced.
func (m *rules) hangup(p *path, now time.Time) {
	m.do(Action{Op: Hangup, ID: p.id, Why: "replaced"})
	m.remove(p)
	m.seek.again(now)
}

// retire lets connections end soon that nothing needs: of each link the one stays
// whose handshake won, and μTCP only until a better path has carried the session
// for a while.
func (m *rules) retire(now time.Time) {
	for _, p := range m.paths {
		switch {
		case p.circuit():
			m.paths.idleCircuit(p, m.choice.using, now)
		case !p.Kind.Conn:
		case p == m.choice.using:
			p.conn.stay()
		case !p.conn.main:
			p.conn.retire(now.Add(linger))
		case m.choice.using != nil && p.Kind.Link == TCP && m.rank(p) > m.rank(m.choice.using):
			p.conn.retire(now.Add(standbyLife))
		}
	}
}

// tickConns closes connections whose time has come, unless the peer needs them.
func (m *rules) tickConns(now time.Time) {
	for _, p := range slices.Clone(m.paths) {
		if !due(p.conn.closeAt, now) {
			continue
		}
		if until := p.conn.needed(m.cfg.Heartbeat); until.After(now) {
			p.conn.prolong(until)
		} else if p.circuit() {
			m.remove(p)
		} else {
			m.hangup(p, now)
		}
	}
}
