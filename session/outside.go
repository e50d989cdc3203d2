package session

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// Jumped tells all sessions that the machine slept for d while the monotonic
// clock stood still: keys have aged by it, and the peer may be elsewhere.
func (m *Manager) Jumped(d time.Duration) {
	m.prekeys.slept(d)
	for _, s := range m.Sessions() {
		s.box.post(func(now time.Time) { s.jumped(d, now) })
	}
}

// NetworkChanged tells all sessions, or those with some peers, that this host's way
// to the peer has changed: paths are probed at once, and lost peers are tried at
// once.
func (m *Manager) NetworkChanged(peers ...did.DID) {
	for _, s := range m.Sessions() {
		if len(peers) == 0 || slices.Contains(peers, s.DID()) {
			s.box.post(s.networkChanged)
		}
	}
}

// Unreachable passes on that the network reported an error about remote.
func (m *Manager) Unreachable(remote netip.AddrPort) {
	for _, s := range m.Sessions() {
		if s.hinted.CompareAndSwap(false, true) {
			s.box.post(func(now time.Time) {
				s.hinted.Store(false)
				s.unreachable(remote, now)
			})
		}
	}
}

func (s *Session) jumped(d time.Duration, now time.Time) {
	s.log.Info("the machine slept", "for", d)
	if !s.fullAt.IsZero() {
		s.fullAt = s.fullAt.Add(-d)
	}
	s.known.at = s.known.at.Add(-d)
	s.epochs.do(s.epochs.machine.Jumped(now, d), now)
	s.networkChanged(now)
}

func (s *Session) networkChanged(now time.Time) {
	s.showQUIC()
	switch s.state {
	case Established, Rotating:
		s.suspect(now)
	case Degraded, Suspended:
		s.hurry(now)
		s.tryNow(now)
	case Failed:
		s.tryNow(now)
	}
}

// tryNow ends the waiting for the next attempt.
func (s *Session) tryNow(now time.Time) {
	if s.attempt == nil && s.canDial() {
		s.retry.tries = 0
		s.retry.soon(now)
	}
}

// suspect asks the path in use for an answer at once and with little patience.
func (s *Session) suspect(now time.Time) {
	if s.using == nil {
		return
	}
	if s.live.urgent { // asked already: asking again must not begin the count anew
		s.hurry(now)
		return
	}
	s.live.urgent = true
	s.live.sentAt, s.live.first, s.live.misses = time.Time{}, time.Time{}, 0
	s.hurry(now)
	s.heartbeat(now)
	s.payQuestion()
}
