package paths

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// gap is the time to the next round on a path that is not in use.
func (m *rules) gap(p *path, now time.Time) time.Duration {
	phase := m.choice.phase
	switch {
	case phase == Degraded && m.facts.Queued:
		return m.cfg.ProbeInterval
	case phase == Degraded || phase == Suspended:
		return m.cfg.IdleProbeInterval
	case m.live.doubtful(), !p.proof.proven && p.probe.rounds <= firstRounds:
		return fastProbe
	case p.returning():
		return returnGap
	case !p.proof.proven && !p.hold.lost:
		return candidateGap
	case now.Sub(m.facts.LastSent) <= standbyGap:
		return standbyGap
	case p.isQUIC() && m.facts.Slots.any():
		return slotKeep
	case p.Kind.Keepalive:
		return aliveGap
	}
	return restingGap
}

// probe sends one round on a path that is not in use, after a look at what should
// have come back.
func (m *rules) probe(p *path, now time.Time) {
	if p.probe.overdue(now, p.proof.heard, p.proof.rtt) {
		p.hold.breaks(p.proof.proven, p.Local)
	}
	p.probe.round(now)
	if !p.trusted() && p.probe.rounds > p.patience() {
		m.remove(p)
		return
	}
	gap := m.gap(p, now)
	p.probe.schedule(m.facts.Slots.early(now.Add(gap), gap))
	for _, size := range m.round(p) {
		m.send(p, probe{bytes: size, at: now}, p.Origin == Heard && !p.trusted())
	}
}

// round is what a path is asked with: where direct answers, or is likely to, one
// probe of each size, so that one round trip shows what passes; else a small one.
// An address that only records came from, or that was told, never gets more than a
// small one a round before it has answered.
func (m *rules) round(p *path) []int {
	switch {
	case p.Kind.Conn, !p.probe.alive && (p.Origin == Heard || p.Origin.told() || p.probe.rounds > firstRounds):
		return []int{smallProbe}
	case p.proof.proven && p.returning(): // of several one would get through
		return []int{p.Room}
	}
	return p.sizes()
}

// send sends a probe, unless the gate is closed or nothing may be spent on an
// address that was told.
func (m *rules) send(p *path, pr probe, charged bool) {
	if m.gates.of(p, pr.at) != OpenGate {
		return
	}
	if p.Origin.told() && !p.trusted() && !m.budget.told.pay(p.Remote, pr.bytes, 1, pr.at) {
		return
	}
	pr.nonce = m.nonce()
	p.probe.sent(pr)
	m.do(Action{Op: Probe, ID: p.id, Nonce: pr.nonce, Size: pr.bytes, Charged: charged})
}

// pay sends a probe whose echo is not waited for: if this end has another address
// now, the peer sends no more there than has come from there (SPEC 3.4, 6.10).
func (m *rules) pay(p *path, bytes int, now time.Time) {
	if m.facts.Keys && m.gates.of(p, now) == OpenGate {
		m.do(Action{Op: Probe, ID: p.id, Nonce: m.nonce(), Size: bytes})
	}
}

// payQUIC pays as much on the connections of QUIC as one packet takes. The system
// chooses its source packet by packet, so the peer may see it come from a new
// address, which QUIC validates with a packet of 1200 bytes. At a closed gate nothing
// is paid, and nothing is owed: elsewhere has ended the connections whose remote knows
// the old address, and a meeting dials anew. The peer may still ask for a validation on
// one of those; its answer would open this NAT before the peer's own (SPEC 6.10, Gate).
func (m *rules) payQUIC(now time.Time) {
	for _, p := range m.paths {
		if p.conn.main && p.isQUIC() {
			m.pay(p, p.Room, now)
		}
	}
}

// echo takes an answer to a probe on the path that it was sent on.
func (m *rules) echo(p *path, pr probe, e wire.Echo, now time.Time) {
	p.proof.echo(now, pr.at, e.Seen)
	p.hold.elsewhere(p.Local)
	m.followQUIC(p, now)
	if p == m.choice.using {
		m.size.echo(pr, p, e.Widest, now)
		return
	}
	if p.Kind.Conn || pr.bytes >= p.least() {
		if p.hold.since.IsZero() && p.hold.lost { // the answers that let it return are a second apart
			p.probe.hurry(now.Add(returnGap))
		}
		p.hold.answers(now)
	}
	if p.Kind.Conn {
		p.proof.prove()
		m.answers(p, now)
		return
	}
	p.probe.echo(pr.bytes, p.least(), now)
}

// settled takes the largest size that came back as the direct path's room.
func (m *rules) settled(p *path, now time.Time) {
	size := p.probe.settle()
	m.do(Action{Op: Resize, ID: p.id, Size: size})
	p.setRoom(size)
	p.proof.prove()
	m.answers(p, now)
}

// judge judges a round of sizes on the path in use.
func (m *rules) judge(p *path, now time.Time) {
	pass, best, hole := m.size.judge(p.Room, now)
	switch {
	case pass > p.Room && !p.Kind.Conn:
		m.resize(p, pass)
	case hole:
		m.blackHole(p, best, now)
	}
}

func (m *rules) resize(p *path, bytes int) {
	p.setRoom(bytes)
	m.do(Action{Op: Resize, ID: p.id, Size: bytes})
}

// blackHole goes on with what still passes: smaller records on the direct path,
// else another path. QUIC connections whose packets are larger are dialled again,
// with small ones.
func (m *rules) blackHole(p *path, size int, now time.Time) {
	m.do(Action{Op: BlackHole, ID: p.id, Size: size})
	switch {
	case !p.Kind.Conn && size >= p.least():
		m.size.shrunk(now)
		m.resize(p, size)
		if p.direct() {
			m.dropWide(size)
		}
	case p.circuit(): // says nothing of other ways
		m.lose(now)
	default:
		m.dropWide(wire.SafeRecord)
		m.lose(now)
	}
	if m.seek.allow(); m.choice.phase == Degraded {
		m.do(Action{Op: Dial}) // the peer does not know yet
	} else {
		m.spread(now)
	}
}

// dropWide closes connections whose packets are larger than what passes: their
// size is fixed, and what is large on them would be lost for ever.
func (m *rules) dropWide(size int) {
	for _, p := range append(list(nil), m.paths...) {
		if p.isQUIC() && p.Room > size {
			m.do(Action{Op: Avoid, Remote: p.Remote})
			m.do(Action{Op: Hangup, ID: p.id, Why: "path MTU black hole"})
			m.remove(p)
		}
	}
}

// hurry probes every path but the one in use at once.
func (m *rules) hurry(now time.Time) {
	for _, p := range m.paths {
		if p != m.choice.using && p.probable() {
			p.probe.hurry(now)
		}
	}
}

// beat sends a heartbeat on the path in use.
func (m *rules) beat(now time.Time) {
	m.live.beat(now, m.nonce())
	if p := m.choice.using; p != nil && m.gates.of(p, now) == OpenGate {
		m.do(Action{Op: Beat, ID: p.id, Nonce: m.live.beatNonce})
	}
}

func (m *rules) answered(now time.Time) {
	m.live.answered(now)
	m.do(Action{Op: Answered})
}

// missed counts an unanswered heartbeat; too many lose the path. The search for
// another path begins while this one may still answer: if both ends dialled in the
// same moment, one of the resumptions would find its secret gone.
func (m *rules) missed(now time.Time) {
	lost := m.live.missed(now, m.cfg.Tolerance)
	m.do(Action{Op: Missed, Count: m.live.missedBeats, Quick: m.live.fast(now)})
	if lost {
		m.lose(now)
		return
	}
	if m.live.missedBeats == 1 {
		// A hub that has restarted knows no circuits; and where a NAT has forgotten the path
		// in use it has forgotten the hub too, which a record alone tells of another port.
		for _, h := range m.paths.hubs() {
			m.do(Action{Op: Suspect, Hub: h})
		}
	}
	m.hurry(now)
	if m.live.missedBeats > 1 || !m.facts.Yields {
		m.spare(now)
	}
	m.beat(now)
}

// suspect asks the path in use for an answer at once and with little patience.
func (m *rules) suspect(now time.Time) {
	p := m.choice.using
	if p == nil {
		return
	}
	m.hurry(now)
	if m.live.urgent { // asked already: asking again must not begin the count anew
		return
	}
	m.live.suspect()
	m.beat(now)
	// Larger than the probe that begins the count of widest records anew.
	m.pay(p, smallProbe+1, now)
}
