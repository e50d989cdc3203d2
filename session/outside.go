package session

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// Jumped tells all sessions that the machine slept for d while the monotonic
// clock stood still: keys have aged by it, and the peer may be elsewhere.
func (m *Manager) Jumped(d time.Duration) {
	m.responder.Prekeys().Slept(d)
	for _, s := range m.Sessions() {
		s.box.Post(func(now time.Time) { s.jumped(d, now) })
	}
}

// NetworkChanged tells all sessions, or those with some peers, that this host's way
// to the peer has changed: paths are probed at once, and lost peers are tried at
// once.
func (m *Manager) NetworkChanged(peers ...did.DID) {
	for _, s := range m.Sessions() {
		if len(peers) == 0 || slices.Contains(peers, s.DID()) {
			s.box.Post(s.networkChanged)
		}
	}
}

// Unreachable passes on that the network reported an error about remote.
func (m *Manager) Unreachable(remote netip.AddrPort) {
	for _, s := range m.Sessions() {
		if s.pending.hint.CompareAndSwap(false, true) {
			s.box.Post(func(now time.Time) {
				s.pending.hint.Store(false)
				s.unreachable(remote, now)
			})
		}
	}
}

func (s *Session) jumped(d time.Duration, now time.Time) {
	s.log.Info("the machine slept", "for", d)
	s.attempts.known.Slept(d)
	s.keys.Jumped(d, now)
	s.networkChanged(now)
}

func (s *Session) networkChanged(now time.Time) {
	s.paths.tell(now, s.paths.machine.Host)
	switch s.state {
	case Degraded, Suspended, Failed:
		s.attempts.hostChanged(now)
	}
}

// unreachable takes the network's word that a remote cannot be reached: a reason
// to look, no proof.
func (s *Session) unreachable(remote netip.AddrPort, now time.Time) {
	if s.attempts.running != nil {
		s.attempts.running.Hurry()
		return
	}
	s.paths.tell(now, func(now time.Time) []paths.Action { return s.paths.machine.Hint(now, remote) })
}
