package paths

import (
	"net/netip"
	"time"
)

// Hub reports that a hub can be asked from now on, or cannot. While there is one,
// nothing leaves for a remote that is not open. What is there already stays open
// for a while.
func (m *Machine) Hub(now time.Time, h Hub, s HubState) []Action {
	if s.Up {
		m.hubs.up(h, s.RTT)
	} else {
		m.hubs.down(h)
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

// Told reports where the peer may be, from inside the session or from discovery.
// Nothing leaves for what is not open; a private address has no NAT before it.
func (m *Machine) Told(now time.Time, all []Candidate) []Action {
	for _, c := range sift(all, true) {
		if private(c.Remote.Addr()) {
			if m.gates.find(c.Remote) != nil {
				continue // tried a moment ago
			}
			m.gates.admit(now, c.Remote)
		}
		if m.gates.passes(c.Remote, now) {
			m.do(Action{Op: Open, Remote: c.Remote, Origin: c.Origin})
		}
	}
	return m.done()
}

// Passes reports whether anything may leave for a remote now. The caller asks
// before it dials of its own accord.
func (m *Machine) Passes(now time.Time, remote netip.AddrPort) bool {
	return m.gates.passes(remote, now)
}
