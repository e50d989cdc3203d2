package paths

import (
	"net/netip"
	"slices"
	"time"
)

// knockIn lets full packets leave for the candidates of the meeting.
func (m *reach) knockIn(now time.Time) {
	m.gates.admit(now, remotesOf(m.meet.places)...)
	if m.meet.may(now); m.mayAskToSpray(now) {
		m.meet.shorten(now.Add(sprayAfter))
	}
	if m.meet.role != Nobody {
		m.knock(now)
	}
}

// readied lets the callee send in full.
func (m *reach) readied(now time.Time) {
	switch {
	case m.spray.runs():
		m.sprayReadied()
	case m.meet.role == Callee && !m.meet.knocking:
		m.knockIn(now)
	}
}

// dialMet dials the first of the candidates that have just become known, and once a
// meeting through the circuit where no connection is there at all.
func (m *reach) dialMet(fresh []Candidate, h Hub, now time.Time) {
	a := Action{Op: Dial, Links: []Link{QUIC}}
	for _, c := range fresh {
		room := len(m.meet.dialled)+len(a.Remotes) < maxTargets && !m.paths.has(QUIC)
		if room && !c.Ours && !private(c.Remote.Addr()) && m.budget.told.pay(c.Remote, initialBytes, initialsATarget, now) {
			a.Remotes = append(a.Remotes, c.Remote)
		}
	}
	if m.meet.readies == 0 && !slices.ContainsFunc(m.paths, func(p *path) bool { return p.Kind.Conn && p.proof.proven }) {
		a.Hub = h
	}
	if len(a.Remotes) > 0 || a.Hub != 0 {
		m.gates.admit(now, a.Remotes...)
		m.meet.dial(a.Remotes)
		m.do(a)
	}
}

// knock sends something to each candidate: probes once there are keys, until then a
// knock, and more of them where nothing is dialled. A dial may begin later than READY
// arrives, and the peer's answer to that would find our NAT shut.
func (m *reach) knock(now time.Time) {
	if m.facts.Keys {
		for _, c := range m.meet.places {
			m.do(Action{Op: Open, Remote: c.Remote, Origin: c.Origin})
		}
		m.meet.opened()
		return
	}
	var to []netip.AddrPort
	for _, c := range m.meet.places {
		dialled := m.meet.knocks > 0 && slices.Contains(m.meet.dialled, c.Remote)
		if !c.Ours && !dialled && m.budget.told.pay(c.Remote, knockBytes, 1, now) {
			to = append(to, c.Remote)
		}
	}
	if m.meet.knocked(now); len(to) > 0 {
		m.do(Action{Op: Knock, Remotes: to})
	}
}

// tickMeeting goes on with the meeting that there is.
func (m *reach) tickMeeting(now time.Time) {
	x := &m.meet
	switch {
	case x.role == Nobody:
		return
	case m.proven():
		m.over(true, now)
		return
	case due(x.overAt, now):
		m.over(false, now)
		return
	}
	if x.knocking && (due(x.knockAt, now) || m.facts.Keys && !x.asPaths) {
		m.knock(now)
	}
	if due(x.readyAt, now) {
		for i := range m.hubs.known {
			if m.hubs.known[i].step == met {
				m.do(Action{Op: Ready, Hub: m.hubs.known[i].name})
			}
		}
		x.ready(now)
	}
}

// proven reports whether a direct path has answered since the meeting began.
func (m *reach) proven() bool {
	return slices.ContainsFunc(m.paths, func(p *path) bool {
		return p.direct() && p.proof.proven && p.proof.heard.After(m.meet.metAt)
	})
}

// over ends the meeting, or a spray. One that has failed is followed by a spray, if that
// may help, or by silence.
func (m *reach) over(proven bool, now time.Time) {
	m.stopSpray()
	if proven {
		m.meet.end(true, now)
		m.hubs.rest(met)
		return
	}
	next := m.mayAskToSpray(now)
	m.leaveMeeting(now)
	if next = next && !m.hubs.busy(); next {
		m.askToSpray(now)
	} else {
		m.do(Action{Op: Unmet, Why: m.meet.whyFailed(&m.facts)})
	}
}

// leaveMeeting gives the meeting up. Nothing leaves for its candidates.
func (m *reach) leaveMeeting(now time.Time) {
	if m.meet.role == Nobody {
		return
	}
	places := remotesOf(m.meet.places)
	m.meet.end(false, now)
	m.hubs.rest(met)
	if p := m.choice.using; p != nil { // what is used has answered
		places = slices.DeleteFunc(places, func(r netip.AddrPort) bool { return r == p.Remote })
	}
	m.gates.shut(now, places...)
	for _, p := range slices.Clone(m.paths) {
		switch {
		case p == m.choice.using || !slices.Contains(places, p.Remote):
		case p.isQUIC(): // it would send of its own accord
			m.do(Action{Op: Hangup, ID: p.id, Why: "no answer", Silent: true})
			m.remove(p)
		case p.direct() && !p.trusted():
			m.remove(p)
		}
	}
}
