package mapping

import (
	"net/netip"
	"time"
)

const (
	// Lease is asked for, and the most that is believed.
	Lease = 2 * time.Hour
	// leaseLeast is the shortest that is worth its renewals.
	leaseLeast = 30 * time.Second
	// renewLeast is the least time between two renewals.
	renewLeast = 15 * time.Second
	// silence is the time between two rounds without success.
	silence = time.Hour
	// changeGap is the least time from a round or check to the next because the network
	// has changed.
	changeGap = 10 * time.Second
	// checkEvery is how often the router's clock is read.
	checkEvery = 10 * time.Minute
	// deleteTime is what deleting may take.
	deleteTime = 500 * time.Millisecond
)

// Config is what a machine is made with.
type Config struct {
	Local netip.AddrPort // address of this host towards the router, port that is mapped; IPv6 has PCP alone
	Nonce Nonce          // the same after a restart, or PCP refuses until the old lease has ended
	Other uint16         // asked of UPnP where another host has Local's port
}

// A Machine keeps one mapping at one router.
type Machine struct {
	cfg    Config
	phase  Phase
	round  round
	held   Mapping
	epochs [protocols + 1]epoch
	given  [protocols + 1]bool // the router has, or may have, a mapping of ours by this protocol
	upnp   uint16              // external port of the mapping by UPnP
	why    Why

	began   time.Time // the newest round or check
	renewAt time.Time
	checkAt time.Time
	retryAt time.Time

	out []Action
}

// New makes a machine that does nothing before Start.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Start begins the first round.
func (m *Machine) Start(now time.Time) []Action {
	if m.phase == Idle {
		m.phase = Asking
		m.begin(now, m.all()...)
	}
	return m.done()
}

// Changed reports that the network may have changed under the same router and
// address: whether it still has the mapping is asked now, not at the next date.
func (m *Machine) Changed(now time.Time) []Action {
	soon := now
	if first := m.began.Add(changeGap); soon.Before(first) {
		soon = first
	}
	switch {
	case m.phase == Silent:
		m.retryAt = soon
	case m.phase == Held && m.held.Protocol == UPnP:
		m.renewAt = soon
	case m.phase == Held:
		m.checkAt = soon
	}
	m.tick(now)
	return m.done()
}

// Stop gives all mappings back. The machine is Ended when the router has answered or
// deleteTime has passed.
func (m *Machine) Stop(now time.Time) []Action {
	if m.phase == Deleting || m.phase == Ended {
		return nil
	}
	m.tell(Mapping{})
	waits := m.round.chosen == UPnP // a call is under way
	m.phase, m.round = Deleting, round{ends: now.Add(deleteTime), resendAt: now.Add(deleteTime / 4), gap: deleteTime / 4, calling: waits}
	m.deleteAll(true)
	m.finish()
	return m.done()
}

// Tick reports that time has passed.
func (m *Machine) Tick(now time.Time) []Action {
	m.tick(now)
	return m.done()
}

func (m *Machine) tick(now time.Time) {
	switch m.phase {
	case Asking:
		m.tickRound(now)
	case Held:
		m.tickHeld(now)
	case Silent:
		if !now.Before(m.retryAt) {
			m.phase = Asking
			m.begin(now, m.all()...)
		}
	case Deleting:
		m.tickDeleting(now)
	}
}

func (m *Machine) tickHeld(now time.Time) {
	switch {
	case !now.Before(m.held.Expires):
		m.tell(Mapping{})
		m.phase = Asking
		m.begin(now, m.all()...)
	case m.round.runs():
		if m.tickRound(now); m.phase == Held && !m.round.runs() {
			m.tickHeld(now) // what has waited for the end of a check may be due
		}
	case !now.Before(m.renewAt):
		m.begin(now, m.held.Protocol)
	case m.held.Protocol != UPnP && !now.Before(m.checkAt):
		m.check(now)
	}
}

func (m *Machine) tickDeleting(now time.Time) {
	switch {
	case !now.Before(m.round.ends):
		clear(m.given[:])
		m.round.calling = false
		m.finish()
	case !now.Before(m.round.resendAt):
		m.round.resendAt = now.Add(m.round.gap)
		m.deleteAll(false)
	}
}

// Deadline is when Tick is due next; the zero time means never.
func (m *Machine) Deadline() time.Time {
	switch m.phase {
	case Asking, Deleting:
		return m.round.deadline()
	case Silent:
		return m.retryAt
	case Held:
		if m.round.runs() {
			return earliest(m.held.Expires, m.round.deadline())
		}
		if m.held.Protocol != UPnP {
			return earliest(m.held.Expires, earliest(m.renewAt, m.checkAt))
		}
		return earliest(m.held.Expires, m.renewAt)
	}
	return time.Time{}
}

// Status returns a snapshot.
func (m *Machine) Status() Status { return Status{Phase: m.phase, Mapping: m.held, Why: m.why} }

// all are the protocols for the family of the local address.
func (m *Machine) all() []Protocol {
	if m.cfg.Local.Addr().Is6() {
		return []Protocol{PCP}
	}
	return []Protocol{PCP, NATPMP, UPnP}
}

// grant takes a mapping that the router has made, unless it is of no use.
func (m *Machine) grant(now time.Time, p Protocol, external netip.AddrPort, lease time.Duration) {
	if why := useless(external, lease); why != 0 {
		m.reject(now, p, why)
		return
	}
	lease = min(lease, Lease)
	m.phase, m.why = Held, 0
	m.renewAt, m.checkAt = now.Add(lease/2), now.Add(checkEvery)
	m.rest()
	m.tell(Mapping{Protocol: p, External: external, Expires: now.Add(lease)})
}

// reject gives a mapping back that is of no use, or no longer.
func (m *Machine) reject(now time.Time, p Protocol, why Why) {
	if m.given[p] {
		m.delete(p)
	}
	if m.held.Protocol == p {
		m.phase = Asking
		m.tell(Mapping{})
	}
	m.deny(now, p, why)
}

// useless says why a mapping is not kept; 0: it is.
func useless(external netip.AddrPort, lease time.Duration) Why {
	switch {
	case !public(external.Addr()):
		return Private
	case external.Port() < 1024:
		return WrongPort
	case lease < leaseLeast:
		return ShortLease
	}
	return 0
}

// tell takes a mapping as the one in force, and says so if it is another one.
func (m *Machine) tell(now Mapping) {
	if now.External != m.held.External || now.Protocol != m.held.Protocol {
		m.out = append(m.out, Action{Op: Tell, Mapping: now})
	}
	m.held = now
}

// rest ends the round.
func (m *Machine) rest() {
	m.round = round{}
	m.out = append(m.out, Action{Op: Rest})
}

func (m *Machine) send(packet []byte) { m.out = append(m.out, Action{Op: Send, Packet: packet}) }

// done hands over what was decided.
func (m *Machine) done() []Action {
	out := m.out
	m.out = nil
	return out
}

// earliest is the earlier of two times; the zero time is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
