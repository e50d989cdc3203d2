package paths

import (
	"net/netip"
	"slices"
	"time"
)

// reach joins the rooms of meeting to the rules of paths: what is lacking there is
// asked for at hubs.
type reach struct {
	rules
	meet  meet
	spray spray
}

// pass does what is due.
func (m *reach) pass(now time.Time) {
	m.rules.pass(now)
	m.tickMeeting(now)
	m.tickHubs(now)
	if at, bare := m.askAt(now); due(at, now) {
		m.ask(bare, now)
	}
}

// lacksDirect reports whether a meeting could improve the path in use. What UDP
// carries already finds the direct path by itself.
func (m *reach) lacksDirect() bool {
	if p := m.choice.using; m.facts.NoUDP || p != nil && p.Via == 0 && p.Kind.Link == QUIC || !slices.ContainsFunc(m.cfg.Kinds, Kind.isDirect) {
		return false
	}
	return !slices.ContainsFunc(m.paths, func(p *path) bool { return p.direct() && p.proof.proven })
}

// lacksCircuit reports whether a circuit is needed: no path is in use, or the one in
// use has missed an answer, and there is no circuit that may work.
func (m *reach) lacksCircuit() bool {
	p := m.choice.using
	if p != nil && (p.circuit() || !m.live.doubtful()) || !slices.ContainsFunc(m.cfg.Kinds, Kind.isCircuit) {
		return false
	}
	return !slices.ContainsFunc(m.paths, func(p *path) bool {
		return p.circuit() && !p.hold.lost && (p.proof.proven || p.probe.rounds <= firstRounds)
	})
}

// askAt is when hubs are asked, and whether for a circuit alone; zero: never.
func (m *reach) askAt(now time.Time) (at time.Time, bare bool) {
	if !m.hubs.any() || m.hubs.busy() || m.choice.phase == Down {
		return at, false
	}
	start := m.choice.began
	if m.choice.phase == Trying && m.facts.Keep {
		start = start.Add(meetHeadStart)
	}
	var direct, circuit time.Time
	if m.meet.role == Nobody && m.lacksDirect() {
		direct = latest(m.meet.directAt, start)
	}
	if m.lacksCircuit() {
		circuit = latest(m.meet.circuitAt, start)
	}
	return earliest(direct, circuit), !due(direct, now)
}

// ask asks hubs, those that know nothing of the peer say so.
func (m *reach) ask(bare bool, now time.Time) {
	m.meet.ask(bare)
	m.hubs.begin()
	m.askNext(now)
}

// askNext asks the next hubs. It reports false when all have been asked.
func (m *reach) askNext(now time.Time) bool {
	all := m.hubs.next()
	for _, h := range all {
		m.sendMeet(h, now)
	}
	return len(all) > 0
}

func (m *reach) sendMeet(h *hub, now time.Time) {
	h.ask(now)
	spray := m.spray.asked()
	m.do(Action{Op: Ask, Hub: h.name, Bare: m.meet.bare, Plain: !m.meet.bare && !spray && m.meet.plain(), Count: h.meets,
		Part: m.spray.part(&m.facts, now), Spray: spray})
}

// tickHubs sends MEETs again that have no answer, and suspects hubs that give none.
func (m *reach) tickHubs(now time.Time) {
	silent := false
	for i := range m.hubs.known {
		h := &m.hubs.known[i]
		switch {
		case h.step != asked || !due(h.askAgain, now):
		case h.meets < meetTries:
			m.sendMeet(h, now)
		default:
			h.lose()
			m.do(Action{Op: Suspect, Hub: h.name})
			silent = true
		}
	}
	if silent {
		m.unanswered(now)
	}
}

// unanswered goes on when the last hub that was asked has brought nothing: with the
// others, or later.
func (m *reach) unanswered(now time.Time) {
	if m.hubs.in(asked) || m.hubs.in(met) && m.meet.role != Nobody {
		return
	}
	if m.spray.asked() {
		m.noSpray()
	} else if !m.hubs.answered() && m.askNext(now) {
		return
	}
	if m.meet.pause(now); m.meet.pauses == 1 && m.meet.failures == 0 { // said once
		m.do(Action{Op: Unmet, Why: m.meet.whyFailed(&m.facts)})
	}
	if i := m.meet.uncross(); i != nil && m.hubs.find(i.by) != nil {
		m.accept(m.hubs.find(i.by), *i, now)
	}
}

// invited takes the peer's MEET. Of two that cross the one counts whose sender stays
// the caller, unless no hub can deliver it.
func (m *reach) invited(h *hub, i invitation, now time.Time) {
	switch {
	case !m.meet.welcome(now):
		m.do(Action{Op: Answer, Hub: h.name})
	case m.hubs.in(asked) && !m.meet.bare && m.meet.role == Nobody && m.cfg.Caller:
		m.meet.cross(i)
	default:
		if !m.meet.bare {
			m.hubs.rest(asked)
			if m.spray.asked() {
				m.spray.end()
			}
		}
		m.accept(h, i, now)
	}
}

// accept opens towards the peer, if that was not done yet, and says yes. Another
// hub adds candidates and a circuit to the meeting that there is. A peer that asks
// while this end is the caller begins anew, and so does one that names other candidates
// than by the same hub before: it is elsewhere, and opens nothing where it was.
func (m *reach) accept(h *hub, i invitation, now time.Time) {
	if h.step == answering {
		return
	}
	if m.spray.hear(h.name, i.part, i.places, now); i.sprays {
		m.acceptSpray(h, now)
		return
	}
	places := sift(i.places, false)
	if m.facts.NoUDP { // a circuit is all that there can be
		places = nil
	}
	if p := m.choice.using; p != nil && p.Via == 0 && p.Kind.Link == QUIC && len(places) > 0 && m.choice.phase == Up {
		m.suspect(now) // the peer would not ask if what it sends there arrived
	}
	switch again := m.meet.renamed(h.name, places); {
	case len(places) == 0:
	case again:
		m.hubs.rest(met)
		m.meet.begin(Callee, now)
	case m.meet.role == Nobody, m.meet.role == Caller && (m.meet.bare || !m.hubs.in(asked)):
		m.meet.begin(Callee, now)
	}
	m.meet.name(h.name, places)
	fresh := m.meet.add(places)
	if len(fresh) > 0 && m.meet.role == Callee {
		m.meet.hold(now)
	}
	var open []netip.AddrPort
	for _, c := range fresh {
		if !i.plain && !c.Ours && m.budget.told.pay(c.Remote, knockBytes, 1, now) {
			open = append(open, c.Remote)
		}
	}
	if h.move(answering); len(open) > 0 {
		m.do(Action{Op: Openers, Remotes: open})
		return
	}
	m.answer(now)
}

// answer says yes where the peer's MEET came by: our NAT is open for it.
func (m *reach) answer(now time.Time) {
	for i := range m.hubs.known {
		if h := &m.hubs.known[i]; h.step == answering {
			h.move(met)
			m.meet.answers(now)
			m.do(Action{Op: Answer, Hub: h.name, Yes: true, Part: m.spray.part(&m.facts, now), Spray: m.spray.runs()})
			m.relabelled(h.name, now)
		}
	}
	if m.meet.knocking { // the peer sends already
		m.knockIn(now)
	}
}

// agreed takes the peer's MET: its NAT is open for what this end sends. An answer that is
// late counts if nothing has come of another hub: the peer, or the hub, was busy.
func (m *reach) agreed(h *hub, e MeetEvent, now time.Time) {
	if h.step != asked && (!h.late || m.meet.role != Nobody || m.spray.asked()) {
		return
	}
	if m.spray.asked() {
		m.agreedToSpray(h, e.Spray, now)
		return
	}
	m.spray.hear(h.name, e.Part, e.Candidates, now)
	h.move(met)
	m.meet.answers(now)
	m.relabelled(h.name, now)
	if m.meet.bare {
		return
	}
	if m.meet.role == Nobody {
		m.meet.begin(Caller, now)
	}
	m.meet.uncross()
	fresh := m.meet.add(append(sift(e.Candidates, false), m.meet.waiting...))
	m.dialMet(fresh, h.name, now)
	m.knockIn(now)
	m.do(Action{Op: Ready, Hub: h.name})
	m.meet.ready(now)
}

// relabelled proves a circuit anew that was lost: the answer has given it other
// labels, and nothing is held against them.
func (m *reach) relabelled(h Hub, now time.Time) {
	if p := m.paths.circuitOf(h); p != nil && p != m.choice.using && p.hold.lost {
		p.hold.clear()
		p.probe.begin(now)
	}
}

// elsewhere closes remotes that know another address of this host, and those of a meeting:
// the peer has opened towards where this host was. Connections of QUIC to them end without a
// packet: they would send of their own accord.
func (m *reach) elsewhere(now time.Time) {
	m.unask()
	m.stopSpray()
	m.leaveMeeting(now)
	m.gates.unmet(now)
	for _, p := range m.paths {
		m.gates.moved(p, now)
	}
	lost := m.choice.using != nil && m.gates.of(m.choice.using, now) != OpenGate
	for _, p := range slices.Clone(m.paths) {
		if p.isQUIC() && m.gates.of(p, now) != OpenGate {
			m.do(Action{Op: Hangup, ID: p.id, Why: "address changed", Silent: true})
			m.remove(p)
		}
	}
	if lost {
		m.live.ended(now)
		m.lose(now)
	}
}

// unask lets no answer count to what names where this host was, and gives none that waits
// for ports there. A circuit alone is the same from everywhere.
func (m *reach) unask() {
	m.hubs.rest(answering)
	if !m.meet.bare {
		m.hubs.rest(asked)
		m.hubs.punctual()
	}
}

// isDirect and isCircuit tell kinds apart whose size is found by probes.
func (k Kind) isDirect() bool  { return !k.Conn && k.Link != "" }
func (k Kind) isCircuit() bool { return !k.Conn && k.Link == "" }
