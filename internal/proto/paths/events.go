package paths

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Add reports a new path: the connection of a handshake that is being completed,
// or a direct path. The ID is 0 if an address that anybody may forge is one too
// many a second.
func (m *Machine) Add(now time.Time, p Path) (ID, []Action) {
	if p.Origin == Heard && (!m.facts.Keys || !m.budget.take(now)) {
		return 0, m.done()
	}
	if !p.Kind.Conn && p.Via == 0 {
		for _, old := range m.paths.crowded(m.choice.using, p.Origin) {
			m.remove(old)
		}
	}
	m.ids++
	x := &path{id: m.ids, Path: p}
	if p.Origin == Heard || p.Origin == Handshake {
		m.gates.hear(x.Remote, x.Local, now)
	}
	m.paths = append(m.paths, x)
	switch {
	case p.Kind.Conn:
		m.bound(x, now)
	case p.Via != 0:
		m.circuit(x, now)
	case p.Origin == Followed:
		m.revisit(x, now)
	default:
		x.probe.begin(now)
	}
	return x.id, m.done()
}

// Revisit reports the known path that Open led to, with the action's origin, or
// the known connection over which another handshake is being completed.
func (m *Machine) Revisit(now time.Time, id ID, o Origin) []Action {
	p := m.paths.find(id)
	switch {
	case p == nil:
	case o == Handshake:
		p.conn.stay()
	case o == Followed:
		m.revisit(p, now)
	case p.circuit() && m.choice.using == nil: // it has new labels: what was lost may pass now
		p.probe.hurry(now)
	case !o.said() || p == m.choice.using || p.proof.proven:
	case p.hold.lost:
		p.probe.hurry(now)
	default:
		p.probe.begin(now)
	}
	return m.done()
}

// A Completion is what is known of a complete handshake.
type Completion struct {
	Won   bool // its epoch is the one in use
	Fresh bool // a full handshake with an incarnation of the peer that has not been met
}

// Proven reports a complete handshake over the connection of a path. That of a new
// incarnation, or the only path, carries the session at once; any other takes its
// place among the paths.
func (m *Machine) Proven(now time.Time, id ID, c Completion) []Action {
	p := m.paths.find(id)
	if p == nil {
		return m.done()
	}
	m.gates.hear(p.Remote, p.Local, now)
	m.handshaken(p, now)
	if p.isQUIC() {
		m.seek.meet(p.Remote)
	}
	if c.Won {
		m.paths.won(p)
	}
	using := m.choice.using
	switch {
	case p.through():
		m.carried(p, now)
	case !m.cfg.allowed(p):
	case using == nil, m.choice.phase != Up, c.Won && (c.Fresh || p.Kind.Name == using.Kind.Name):
		m.use(p, now)
	default:
		m.choose(now)
	}
	m.retire(now)
	m.spread(now)
	return m.done()
}

// handshaken takes a handshake as the proof of a connection. Another connection
// to a remote that was lost by UDP has to earn the return too.
func (m *Machine) handshaken(p *path, now time.Time) {
	if !p.proof.proven && p.isQUIC() {
		fails, lost := m.memory.heldDown(m.paths, p.Remote)
		p.hold.inherit(fails, lost, p.Local)
	}
	p.proof.handshake(now)
	p.hold.answers(now)
	if p.probe.next.IsZero() && p != m.choice.using {
		p.probe.schedule(now.Add(m.gap(p, now)))
	}
}

// Gone reports that the connection of a path has ended.
func (m *Machine) Gone(now time.Time, id ID) []Action {
	p := m.paths.find(id)
	switch {
	case p == nil:
	case p != m.choice.using:
		m.remove(p)
		m.spread(now)
	default:
		m.remove(p)
		m.live.ended(now) // whatever answered lately will do
		m.lose(now)
		m.memory.keep(p)
	}
	return m.done()
}

// Denied reports that a probe was not sent, because fewer bytes have come by its
// path.
func (m *Machine) Denied(now time.Time, id ID, nonce uint64) []Action {
	if p := m.paths.find(id); p != nil {
		p.probe.deny(nonce, now)
	}
	return m.done()
}

// Echo reports an ECHO that came by a path. One that came by another path than
// its probe proves nothing.
func (m *Machine) Echo(now time.Time, id ID, e wire.Echo) []Action {
	if p := m.paths.find(id); p != nil {
		m.gates.hear(p.Remote, p.Local, now)
		if pr, ok := p.probe.take(e.Nonce); ok {
			m.echo(p, pr, e, now)
		}
	}
	return m.done()
}

// Acknowledged reports the answer to a heartbeat, by whatever path it came.
func (m *Machine) Acknowledged(now time.Time, nonce uint64) []Action {
	if m.live.echo(now, nonce) {
		if m.choice.phase == Up {
			m.answered(now)
		}
		if m.choice.using != nil {
			m.followQUIC(m.choice.using, now)
		}
	}
	return m.done()
}

// Beaten reports a heartbeat of the peer: it uses the path.
func (m *Machine) Beaten(now time.Time, id ID) []Action {
	if p := m.paths.find(id); p != nil {
		p.conn.heartbeat(now)
	}
	return m.done()
}

// Probed reports a probe of the peer: while nothing else answers, a sign that the
// path has healed.
func (m *Machine) Probed(now time.Time, id ID) []Action {
	if p := m.paths.find(id); p != nil {
		m.followQUIC(p, now)
		if m.choice.phase == Degraded || m.choice.phase == Suspended {
			p.probe.every(fastProbe, now)
		}
	}
	return m.done()
}

// Moved reports that the peer's records come by another path than before; 0 is no
// path of the session. The peer may have roamed.
func (m *Machine) Moved(now time.Time, id ID) []Action {
	p := m.paths.find(id)
	if p != nil {
		m.gates.hear(p.Remote, p.Local, now)
	}
	m.source.move(p, now)
	m.follow(now)
	return m.done()
}

// Sent reports that packets began to leave since Summary.Watch asked for that.
func (m *Machine) Sent(now time.Time) []Action {
	m.live.sent(now)
	return m.done()
}

// Came reports that packets began to come since Summary.WatchIn asked for that.
func (m *Machine) Came(now time.Time) []Action {
	m.inflow.came(now)
	return m.done()
}

// Demand reports that packets began to wait.
func (m *Machine) Demand(now time.Time) []Action {
	if m.choice.phase == Degraded {
		for _, p := range m.paths {
			p.probe.every(m.cfg.ProbeInterval, time.Time{})
		}
	}
	return m.done()
}

// Hint reports the network's word that a remote cannot be reached: a reason to
// look, no proof.
func (m *Machine) Hint(now time.Time, remote netip.AddrPort) []Action {
	if p := m.choice.using; p != nil && p.Remote == remote && p.Kind.Link == QUIC {
		if !m.live.fast(now) {
			m.suspect(now)
		}
		m.spare(now)
	}
	return m.done()
}

// Host reports that this host's addresses or routes have changed, or that it
// slept. The path in use is asked for an answer at once and with little patience.
func (m *Machine) Host(now time.Time) []Action {
	m.elsewhere(now)
	m.payQUIC(now)
	m.meet.elsewhere()
	m.spray.elsewhere()
	switch m.choice.phase {
	case Up:
		m.suspect(now)
	case Degraded, Suspended:
		m.hurry(now)
	}
	return m.done()
}

// Restarted reports that another incarnation of the peer has proven itself: that
// paths stopped answering was its restart, and nothing is held against them.
func (m *Machine) Restarted(now time.Time) []Action {
	m.memory.forget()
	for _, p := range m.paths {
		if p.hold.lost {
			p.hold.clear()
			p.probe.begin(now)
		}
	}
	return m.done()
}

// Prefer puts a kind before all others, until it is called again; the zero Kind
// ends that.
func (m *Machine) Prefer(now time.Time, k Kind) []Action {
	m.prefer.set(k)
	if m.choice.phase == Up {
		m.seek.allow() // it was asked for
		m.choose(now)
		m.retire(now)
		m.spread(now)
	}
	return m.done()
}

// Heartbeat wants a heartbeat to leave at once.
func (m *Machine) Heartbeat(now time.Time) []Action {
	m.beat(now)
	return m.done()
}

// State reports the phase that the session is in. What Lost and Restored say is
// known already.
func (m *Machine) State(now time.Time, p Phase) []Action {
	from := m.choice.phase
	switch {
	case from == p:
	case p == Degraded:
		m.degrade(now)
	default:
		m.enter(p, now)
	}
	return m.done()
}

// Clear reports that the session has let go of its keys and connections.
func (m *Machine) Clear() []Action {
	for _, p := range m.paths {
		m.do(Action{Op: Drop, ID: p.id})
	}
	m.paths = nil
	m.source = source{}
	m.choice.take(nil)
	m.memory.forget()
	m.live.idle()
	m.size.end()
	m.contest = contest{}
	m.stopSpray()
	m.meet.forget()
	for _, s := range []step{resting, asked, answering, met} {
		m.hubs.rest(s)
	}
	return m.done()
}
