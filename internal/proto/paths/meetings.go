package paths

import (
	"net/netip"
	"slices"
	"time"
)

// Hub reports that a hub can be asked from now on, or cannot. While there is one,
// nothing leaves for a remote that is not open; what is there already stays open for
// a while. Circuits end with the session with their hub.
func (m *Machine) Hub(now time.Time, h Hub, s HubState) []Action {
	if known := m.hubs.find(h) != nil; s.Up {
		if m.hubs.up(h, s); !known {
			m.meet.again()
		}
	} else if known {
		m.hubs.down(h)
		m.circuitsEnd(h, now)
	}
	if guard := m.hubs.any(); guard != m.gates.guarded {
		m.gates.guard(guard)
		for _, p := range m.paths {
			m.gates.admit(now, p.Remote)
		}
	}
	return m.done()
}

// Configured reports the endpoints of the config, all of them.
func (m *Machine) Configured(remotes []netip.AddrPort) []Action {
	m.gates.configure(remotes)
	return m.done()
}

// Remember begins with where the peer was before the machine was made.
func (m *Machine) Remember(remote netip.AddrPort) {
	m.seek.meet(remote)
	m.seek.reach(remote)
}

// Told reports where the peer may be, from inside the session or from discovery.
// What is not open waits for a meeting; a private address has no NAT before it.
func (m *Machine) Told(now time.Time, all []Candidate) []Action {
	var waiting []Candidate
	for _, c := range sift(all, true) {
		if private(c.Remote.Addr()) {
			if m.gates.find(c.Remote) != nil {
				continue // tried a moment ago
			}
			m.gates.admit(now, c.Remote)
		}
		if m.gates.passes(c.Remote, now) {
			m.do(Action{Op: Open, Remote: c.Remote, Origin: c.Origin})
		} else {
			waiting = append(waiting, c)
		}
	}
	m.meet.wait(waiting)
	return m.done()
}

// Passes reports whether anything may leave for a remote now. The caller asks
// before it dials of its own accord.
func (m *Machine) Passes(now time.Time, remote netip.AddrPort) bool {
	return m.gates.passes(remote, now)
}

// Asks reports whether a hub is asked. The caller asks before a MEET leaves that has waited.
func (m *Machine) Asks(by Hub) bool {
	h := m.hubs.find(by)
	return h != nil && h.step == asked
}

// A MeetStep is what has come of a meeting.
type MeetStep uint8

const (
	Asked   MeetStep = iota + 1 // the peer's MEET, with Candidates and Plain
	Met                         // the peer's MET, with Candidates; the circuit exists
	NotMet                      // the hub has no such peer, or one of them does not want to
	Readied                     // the peer sends in full: its READY
	Knocked                     // the same: its first knock came from Remote
)

// A MeetEvent is one step, as a hub brought it. That the peer is one is known: a
// machine is there.
type MeetEvent struct {
	Step       MeetStep
	Candidates []Candidate
	Remote     netip.AddrPort
	Plain      bool // the answer needs no openers
	Part       Part // that the peer would have in a spray, if the hub sees it where it says so
	Spray      bool // the peer wants one
}

// Meeting reports what a hub has brought, and with Knocked what came directly. The
// caller Adds the circuit of a Met or of an Answer that says yes, or gives the one
// that the hub has new labels.
func (m *Machine) Meeting(now time.Time, by Hub, e MeetEvent) []Action {
	h := m.hubs.find(by)
	switch {
	case e.Step == Knocked:
		if slices.ContainsFunc(m.meet.places, func(c Candidate) bool { return c.Remote == e.Remote }) {
			m.readied(now)
		}
	case h == nil:
	case e.Step == Asked:
		m.invited(h, invitation{by, e.Candidates, e.Plain, e.Part, e.Spray}, now)
	case e.Step == Met:
		m.agreed(h, e, now)
	case e.Step == NotMet && h.step == asked:
		h.move(resting)
		m.unanswered(now)
	case e.Step == Readied && h.step == met:
		m.readied(now)
	}
	return m.done()
}

// Opened reports that openers have left, or that this system has none.
func (m *Machine) Opened(now time.Time) []Action {
	m.answer(now)
	return m.done()
}

// A SprayStep is what has come of the ports that OpenPorts has asked for.
type SprayStep uint8

const (
	PortsOpen    SprayStep = iota + 1 // openers have left all of them
	PortsRefused                      // the system opens none
	PortHeard                         // the peer has hit one, by which its address is reached from now on
)

// Sprayed reports a step of OpenPorts.
func (m *Machine) Sprayed(now time.Time, s SprayStep) []Action {
	switch {
	case !m.spray.runs():
	case s == PortHeard:
		m.gates.admit(now, m.spray.vouched)
		m.do(Action{Op: Open, Remote: m.spray.vouched, Origin: AtHub})
	case m.spray.pace == preparing:
		m.portsOpen(s == PortsOpen, now)
	}
	return m.done()
}
