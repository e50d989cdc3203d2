package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
)

// Copied tells that this process may run more than once from one state: a snapshot
// of the machine was restored, or a clone of it started. Counters then repeat
// nonces, so every epoch, resumption secret, connection and prekey is dropped, and
// sessions come back by a full handshake. With certain false it is only likely, as
// after a step of the host's clock: the same, but messages that are under way are
// sent again rather than failed. Randomness is the kernel's, which knows.
func (m *Manager) Copied(certain bool) {
	m.log.Warn("this machine was copied, or its clock set: all keys are dropped", "certain", certain)
	m.responder.Prekeys().Replace()
	for _, s := range m.Sessions() {
		s.box.Post(func(now time.Time) { s.copied(certain, now) })
	}
}

func (s *Session) copied(certain bool, now time.Time) {
	if s.state == Closed {
		return
	}
	s.attempts.abandon()
	clear(s.halfOpen) // what they agree on was drawn before
	if certain {
		if fresh, err := s.m.self.Uint64(); err == nil {
			s.incarnation.Store(fresh)
		}
		s.msgs.Restart()
	}
	had := s.keys.InUse() != nil
	s.keys.Expire(now)
	s.release(now)
	s.attempts.known = connect.PeerKeys{}
	if had || s.peer.Keep {
		s.attempts.hostChanged(now)
	}
}
