package mapping

import (
	"net/netip"
	"time"
)

// An Outcome is how a call of UPnP ended.
type Outcome uint8

const (
	Done   Outcome = iota + 1 // as asked
	Failed                    // with an error, or without an answer
	Taken                     // error 718: another host has the port
)

// Datagram reports a packet from Port of the router's address. The caller has
// checked from where it came.
func (m *Machine) Datagram(packet []byte, now time.Time) []Action {
	a, err := parse(packet)
	switch {
	case err != nil || !m.round.runs():
	case a.version == pcpVersion:
		m.answerPCP(now, a)
	default:
		m.answerPMP(now, a)
	}
	return m.done()
}

func (m *Machine) answerPCP(now time.Time, a answer) {
	switch {
	case a.result == unsupportedVersion: // of the packet of version 0
		m.absent(now, NATPMP)
	case a.op == pcpAnnounce && m.round.check && m.held.Protocol == PCP:
		m.checked(now, m.epochs[PCP].restarted(a.epoch, now))
	case a.op != pcpMap || a.nonce != m.cfg.Nonce || a.protocol != protoUDP || a.internal != m.cfg.Local.Port():
	case m.phase == Deleting:
		m.forgotten(PCP, a)
	case m.round.replies[PCP] != pending || m.round.check || a.result == 0 && a.lifetime == 0:
	case a.result != 0:
		m.epochs[PCP].restarted(a.epoch, now)
		m.given[PCP] = m.held.Protocol == PCP // an error leaves what there is
		m.deny(now, PCP, Refused)
	default:
		m.epochs[PCP].restarted(a.epoch, now) // if so, this answer is the renewal
		m.grant(now, PCP, a.external, seconds(a.lifetime))
	}
}

func (m *Machine) answerPMP(now time.Time, a answer) {
	switch {
	case a.result == unsupportedVersion: // of the packet of PCP
		m.absent(now, PCP)
	case a.op == pmpAddress && m.round.replies[NATPMP] == pending:
		m.address(now, a)
	case a.op != pmpMap || a.result == 0 && a.internal != m.cfg.Local.Port():
	case m.phase == Deleting:
		m.forgotten(NATPMP, a)
	case m.round.chosen != NATPMP || a.result == 0 && a.lifetime == 0:
	case a.result != 0:
		m.given[NATPMP] = m.held.Protocol == NATPMP
		m.deny(now, NATPMP, Refused)
	default:
		m.grant(now, NATPMP, netip.AddrPortFrom(m.round.addresses[NATPMP], a.external.Port()), seconds(a.lifetime))
	}
}

// address takes the router's address by NAT-PMP: what a check asks for, and the first
// step to a mapping. Behind another NAT there is no second.
func (m *Machine) address(now time.Time, a answer) {
	restarted := m.epochs[NATPMP].restarted(a.epoch, now)
	switch {
	case m.round.check:
		m.checked(now, restarted || a.result == 0 && a.external.Addr() != m.held.External.Addr())
	case a.result != 0:
		m.deny(now, NATPMP, Refused)
	case !public(a.external.Addr()):
		m.reject(now, NATPMP, Private)
	default:
		m.round.replies[NATPMP], m.round.addresses[NATPMP] = yes, a.external.Addr()
		m.decide(now)
	}
}

// forgotten takes the answer to a deletion; one to an earlier request tells nothing.
func (m *Machine) forgotten(p Protocol, a answer) {
	if a.result != 0 || a.lifetime == 0 {
		m.given[p] = false
		m.finish()
	}
}

// checked ends a check.
func (m *Machine) checked(now time.Time, lost bool) {
	if lost {
		m.begin(now, m.held.Protocol)
		return
	}
	m.rest()
}

// absent notes that the router does not speak a protocol.
func (m *Machine) absent(now time.Time, p Protocol) {
	switch {
	case m.phase == Deleting:
		m.given[p] = false
		m.finish()
	case m.round.replies[p] == pending:
		m.given[p] = m.held.Protocol == p
		m.deny(now, p, NoAnswer)
	}
}

// Unreachable reports that nobody listens at Port of the router, or that it cannot
// be sent to.
func (m *Machine) Unreachable(now time.Time) []Action {
	if m.round.check {
		m.rest()
		return m.done()
	}
	for _, p := range []Protocol{PCP, NATPMP} {
		m.absent(now, p)
	}
	return m.done()
}

// Found reports the end of a search: the router's address as its service has it, or
// the zero Addr if there is no service.
func (m *Machine) Found(address netip.Addr, now time.Time) []Action {
	switch {
	case m.phase == Deleting || m.round.replies[UPnP] != pending:
	case !address.IsValid():
		m.deny(now, UPnP, NoAnswer)
	case !public(address):
		m.reject(now, UPnP, Private)
	default:
		m.round.replies[UPnP], m.round.addresses[UPnP] = yes, address
		m.decide(now)
	}
	return m.done()
}

// Called reports the end of a Map for a port. What nobody waits for any more is taken
// back.
func (m *Machine) Called(port uint16, how Outcome, now time.Time) []Action {
	waited := m.round.chosen == UPnP && m.round.port == port && m.phase != Deleting
	m.round.calling = false
	if how == Done {
		m.given[UPnP], m.upnp = true, port
	}
	switch {
	case how == Done && waited:
		m.grant(now, UPnP, netip.AddrPortFrom(m.round.addresses[UPnP], port), Lease)
	case how == Done && m.phase != Ended && (m.held.Protocol != UPnP || m.held.External.Port() != port):
		m.delete(UPnP)
	case how == Taken && waited && !m.round.second:
		m.round.second, m.round.port, m.round.ends = true, m.cfg.Other, now.Add(roundTime)
		m.call()
	case how == Taken && waited:
		m.deny(now, UPnP, Conflict)
	case waited:
		m.deny(now, UPnP, Refused)
	}
	m.finish()
	return m.done()
}

// Deleted reports the end of an Unmap.
func (m *Machine) Deleted() []Action {
	m.given[UPnP] = false
	m.finish()
	return m.done()
}

// delete asks the router to forget a mapping.
func (m *Machine) delete(p Protocol) {
	switch p {
	case PCP:
		m.send(appendPCPMap(nil, m.request(0, 0)))
	case NATPMP:
		m.send(appendPMPMap(nil, m.request(0, 0)))
	case UPnP:
		m.out = append(m.out, Action{Op: Unmap, Port: m.upnp})
	}
}

// deleteAll asks so for whatever the router may have. A call of UPnP is made once.
func (m *Machine) deleteAll(first bool) {
	for p := PCP; p <= UPnP; p++ {
		if m.given[p] && (first || p != UPnP) {
			m.delete(p)
		}
	}
}

// finish ends the machine when nothing is left to delete.
func (m *Machine) finish() {
	if m.phase != Deleting || m.round.calling || m.given != [protocols + 1]bool{} {
		return
	}
	m.rest()
	m.phase = Ended
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }
