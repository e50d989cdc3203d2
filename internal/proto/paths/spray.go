package paths

import (
	"net/netip"
	"time"
)

const (
	// sprayAfter is how long full packets have left in a meeting of the caller until a
	// spray takes its place, if the two NATs are such.
	sprayAfter = time.Second
	// sprayRest is the least time between two sprays with a peer.
	sprayRest = 10 * time.Minute
)

// A Part is what an end does in a spray, by which a NAT with endpoint-dependent mapping
// and one that filters by port meet: one end opens many ports towards the other, the
// other knocks at many drawn at random, and a few of them match (birthday paradox).
type Part uint8

const (
	NoPart Part = iota // the end takes none: spray is off here, or its NAT is not known
	Opens              // its NAT gives each remote another port
	Knocks             // its NAT keeps one port, or there is none
)

func (p Part) String() string { return [...]string{"none", "opens", "knocks"}[p] }

// fits reports whether two ends with these parts can have a spray.
func (p Part) fits(other Part) bool { return p != NoPart && other != NoPart && p != other }

// A sprayStep is how far a spray has come.
type sprayStep uint8

const (
	calm      sprayStep = iota
	wanting             // our MEET asks for one
	preparing           // ports are being opened, or the peer's are awaited
	spraying            // what can be done here is done
)

// A spray is the one with the peer.
type spray struct {
	pace      sprayStep
	peerPart  Part           // as its newest MEET or MET says
	vouched   netip.AddrPort // where the hub that brought it sees the peer
	vouchedBy Hub
	vouchedAt time.Time // after openFor somebody else may have the address
	sprayedAt time.Time // when the newest one began; zero: none has, in this network
}

func newSpray(last time.Time) spray { return spray{sprayedAt: last} }

// hear notes what a hub has brought of the peer. Of IPv6 nothing is noted: its ports are
// not translated. A private address, at which a hub in the peer's network may well see it,
// is another host here.
func (x *spray) hear(by Hub, p Part, places []Candidate, now time.Time) {
	if len(places) == 0 {
		return
	}
	x.peerPart, x.vouched, x.vouchedBy, x.vouchedAt = p, netip.AddrPort{}, by, now
	for _, c := range places {
		if c.Origin == AtHub && c.Remote.Addr().Unmap().Is4() && !c.Ours && c.reachable(false) {
			x.vouched = c.Remote
			return
		}
	}
}

// part is this end's, which a peer is told.
func (x *spray) part(f *facts, now time.Time) Part {
	if x.pace == calm && !x.rested(now) {
		return NoPart
	}
	return f.Part
}

func (x *spray) rested(now time.Time) bool {
	return x.sprayedAt.IsZero() || now.Sub(x.sprayedAt) >= sprayRest
}

// may reports whether a spray with the peer is allowed and of use.
func (x *spray) may(f *facts, now time.Time) bool {
	return x.rested(now) && x.vouched.IsValid() && now.Sub(x.vouchedAt) < openFor && f.Part.fits(x.peerPart)
}

// ask notes that our MEET asks for one.
func (x *spray) ask() { x.pace = wanting }

// begin begins one that both ends want.
func (x *spray) begin(now time.Time) { x.pace, x.sprayedAt = preparing, now }

// done notes that nothing is left to be done here but to wait.
func (x *spray) done() { x.pace = spraying }

// end ends it, or what has asked for it.
func (x *spray) end() { x.pace = calm }

// elsewhere allows another one: this host is in another network.
func (x *spray) elsewhere() { x.sprayedAt = time.Time{} }

// asked and runs report whether our MEET has asked for a spray, and whether it has begun.
func (x *spray) asked() bool { return x.pace == wanting }
func (x *spray) runs() bool  { return x.pace > wanting }

// mayAskToSpray reports whether a meeting that this end has asked for gives way to a
// spray.
func (m *reach) mayAskToSpray(now time.Time) bool {
	return m.meet.role == Caller && m.spray.pace == calm && m.spray.may(&m.facts, now) && m.hubs.find(m.spray.vouchedBy) != nil
}

// askToSpray asks the peer, by the hub that sees it, after a meeting without success.
func (m *reach) askToSpray(now time.Time) {
	m.spray.ask()
	m.meet.ask(false)
	m.sendMeet(m.hubs.find(m.spray.vouchedBy), now)
}

// acceptSpray takes the peer's wish. An end that does not want to answers as to any MEET,
// by which the circuit goes on.
func (m *reach) acceptSpray(h *hub, now time.Time) {
	h.move(answering)
	if m.spray.runs() || !m.spray.may(&m.facts, now) || !m.lacksDirect() {
		m.answer(now)
		return
	}
	m.leaveMeeting(now)
	h.move(answering)
	m.beginSpray(Callee, now)
	if m.facts.Part == Opens {
		m.do(Action{Op: OpenPorts, Remote: m.spray.vouched})
		return
	}
	m.answer(now)
}

// agreedToSpray takes the peer's answer. Who opens ports does it now, and says READY.
func (m *reach) agreedToSpray(h *hub, yes bool, now time.Time) {
	h.move(met)
	m.meet.answers(now)
	m.relabelled(h.name, now)
	if !yes || !m.spray.may(&m.facts, now) {
		m.noSpray()
		return
	}
	m.beginSpray(Caller, now)
	if m.facts.Part == Opens {
		m.do(Action{Op: OpenPorts, Remote: m.spray.vouched})
	} else {
		m.knockPorts()
	}
}

// noSpray goes on as after any meeting that has failed.
func (m *reach) noSpray() {
	m.spray.end()
	m.do(Action{Op: Unmet, Why: m.meet.whyFailed(&m.facts)})
}

// beginSpray is a meeting of its own with the only candidate at which the hub sees the
// peer. With the one before it counts as one that may fail.
func (m *reach) beginSpray(r Role, now time.Time) {
	m.spray.begin(now)
	m.meet.resume()
	m.meet.begin(r, now)
	if m.facts.Part == Opens {
		m.meet.add([]Candidate{{Remote: m.spray.vouched, Origin: AtHub}})
	}
}

// knockPorts knocks at the peer's ports, which are open.
func (m *reach) knockPorts() {
	m.spray.done()
	m.do(Action{Op: KnockPorts, Remote: m.spray.vouched})
}

// sprayReadied takes the caller's READY: its ports are open.
func (m *reach) sprayReadied() {
	if m.facts.Part == Knocks && m.spray.pace == preparing {
		m.knockPorts()
	}
}

// portsOpen goes on once the ports of this end are open, or cannot be.
func (m *reach) portsOpen(yes bool, now time.Time) {
	callee := m.hubs.in(answering)
	if !yes {
		m.spray.end()
	}
	if callee {
		m.answer(now)
	}
	switch {
	case !yes:
		m.over(false, now)
	case !callee:
		m.do(Action{Op: Ready, Hub: m.spray.vouchedBy})
		m.meet.ready(now)
	}
	if yes {
		m.spray.done()
	}
}

// stopSpray ends what a spray has begun here.
func (m *reach) stopSpray() {
	if m.spray.runs() {
		m.do(Action{Op: StopPorts})
	}
	m.spray.end()
}
