package mapping

import (
	"net/netip"
	"time"
)

const (
	// preferTime is how long a better protocol is waited for.
	preferTime = 250 * time.Millisecond
	// roundTime is what a round may take, and again the protocol that was chosen in it.
	roundTime = 4 * time.Second
	// resendFirst is the time before the first packet is sent again, doubled (RFC 6886
	// 3.1).
	resendFirst = 250 * time.Millisecond
	// checkTime is how long the answer of a check is waited for.
	checkTime = time.Second
)

// A reply is what is known of a protocol in a round.
type reply uint8

const (
	no      reply = iota // it is not asked, or the router does not have it
	pending              // it is asked
	yes                  // the router has it
)

// A round is one try to get, renew or check a mapping. One without an end does not
// run.
type round struct {
	ends     time.Time
	preferTo time.Time
	resendAt time.Time
	gap      time.Duration

	replies   [protocols + 1]reply
	addresses [protocols + 1]netip.Addr // the router's
	chosen    Protocol                  // 0: not decided
	why       Why                       // the last refusal
	port      uint16                    // external, that is asked for
	second    bool                      // another host had the first
	check     bool                      // only the router's clock is read
	calling   bool                      // a call of UPnP has not ended
}

func (r *round) runs() bool { return !r.ends.IsZero() }

func (r *round) deadline() time.Time {
	d := earliest(r.ends, r.resendAt)
	if r.chosen == 0 && (r.replies[NATPMP] == yes || r.replies[UPnP] == yes) {
		d = earliest(d, r.preferTo)
	}
	return d
}

// begin asks for a mapping by some protocols.
func (m *Machine) begin(now time.Time, by ...Protocol) {
	m.began = now
	m.round = round{ends: now.Add(roundTime), preferTo: now.Add(preferTime), gap: resendFirst, resendAt: now.Add(resendFirst),
		port: m.cfg.Local.Port()}
	if m.phase == Held {
		m.round.port = m.held.External.Port()
	}
	for _, p := range by {
		m.round.replies[p] = pending
	}
	m.ask()
	if m.round.replies[UPnP] == pending {
		m.out = append(m.out, Action{Op: Search})
	}
}

// check reads the router's clock.
func (m *Machine) check(now time.Time) {
	m.began, m.checkAt = now, now.Add(checkEvery)
	m.round = round{ends: now.Add(checkTime), check: true}
	m.round.replies[m.held.Protocol] = pending
	m.ask()
}

// ask sends the packets of what has not answered.
func (m *Machine) ask() {
	r := &m.round
	for _, p := range []Protocol{PCP, NATPMP} {
		switch {
		case r.replies[p] == no || r.chosen != 0 && r.chosen != p:
		case r.check && p == PCP:
			m.send(appendPCPAnnounce(nil, m.cfg.Local.Addr()))
		case p == PCP:
			m.given[PCP] = true
			m.send(appendPCPMap(nil, m.request(r.port, Lease)))
		case r.chosen == 0 && r.replies[p] == pending:
			m.send(appendPMPAddress(nil))
		case r.chosen == p:
			m.given[NATPMP] = true
			m.send(appendPMPMap(nil, m.request(r.port, Lease)))
		}
	}
}

// request is for a mapping of the local port. The router is told the address that it
// gave before, or that any will do (RFC 6887 11.1).
func (m *Machine) request(port uint16, lease time.Duration) request {
	address := m.held.External.Addr()
	switch {
	case lease != 0 && address.IsValid():
	case m.cfg.Local.Addr().Is6():
		address = netip.IPv6Unspecified()
	default:
		address = netip.IPv4Unspecified()
	}
	return request{local: m.cfg.Local, external: netip.AddrPortFrom(address, port), nonce: m.cfg.Nonce, lifetime: uint32(lease / time.Second)}
}

func (m *Machine) tickRound(now time.Time) {
	r := &m.round
	switch {
	case !now.Before(r.ends):
		m.timeOut(now)
		return
	case !r.resendAt.IsZero() && !now.Before(r.resendAt):
		r.gap *= 2
		r.resendAt = now.Add(r.gap)
		m.ask()
	}
	m.decide(now)
}

// timeOut gives up what has not answered: the protocol that was chosen, for what is
// worse than it, or all of them.
func (m *Machine) timeOut(now time.Time) {
	r := &m.round
	switch {
	case r.check:
		m.rest()
		return
	case r.chosen != 0:
		m.deny(now, r.chosen, NoAnswer)
		return
	}
	for p, reply := range r.replies {
		if reply == pending {
			r.replies[p] = no
			m.given[p] = m.given[p] && m.held.Protocol == Protocol(p)
		}
	}
	m.decide(now)
}

// decide chooses the best protocol that the router has.
func (m *Machine) decide(now time.Time) {
	r := &m.round
	if r.chosen != 0 || r.check || !r.runs() {
		return
	}
	waits := false
	for _, p := range m.all() {
		switch r.replies[p] {
		case yes:
			m.choose(now, p)
			return
		case pending:
			waits = true
			if now.Before(r.preferTo) {
				return
			}
		}
	}
	if !waits {
		m.fail(now)
	}
}

func (m *Machine) choose(now time.Time, p Protocol) {
	r := &m.round
	r.chosen, r.ends, r.gap, r.resendAt = p, now.Add(roundTime), resendFirst, now.Add(resendFirst)
	if p == UPnP {
		r.resendAt = time.Time{}
		m.call()
		return
	}
	m.ask()
}

// call asks UPnP for the port.
func (m *Machine) call() {
	m.out = append(m.out, Action{Op: Map, Port: m.round.port})
}

// deny takes a protocol out of the round, and goes on with the others.
func (m *Machine) deny(now time.Time, p Protocol, why Why) {
	r := &m.round
	if !r.runs() || r.check {
		return
	}
	r.replies[p] = no
	if r.why == 0 || why != NoAnswer {
		r.why = why
	}
	if r.chosen == p {
		r.chosen, r.ends = 0, now.Add(roundTime)
	}
	m.decide(now)
}

// fail ends a round in which nothing was granted. A mapping that is in force is
// renewed again at half of what is left of it (RFC 6887 11.2.1).
func (m *Machine) fail(now time.Time) {
	m.why = max(m.round.why, NoAnswer)
	m.rest()
	if m.phase == Held {
		m.renewAt, m.checkAt = now.Add(max(m.held.Expires.Sub(now)/2, renewLeast)), now.Add(checkEvery)
		return
	}
	m.phase, m.retryAt = Silent, now.Add(silence)
}
