package session

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/connect"
)

// Jumped tells all sessions that the machine slept for d while the monotonic
// clock stood still: keys have aged by it, and the peer may be elsewhere.
func (m *Manager) Jumped(d time.Duration) {
	m.responder.Prekeys().Slept(d)
	for _, s := range m.Sessions() {
		if !s.jumpDormant(d) {
			s.box.Post(func(now time.Time) { s.loop.jumped(d, now) })
		}
	}
}

// NetworkChanged tells all sessions, or those with some peers, that this host's way
// to the peer has changed: paths are probed at once, and lost peers are tried at
// once.
func (m *Manager) NetworkChanged(peers ...did.DID) {
	for _, s := range m.Sessions() {
		if len(peers) == 0 || slices.Contains(peers, s.DID()) {
			s.box.Tell(func(now time.Time) { s.loop.networkChanged(now) })
		}
	}
}

// Unreachable passes on that the network reported an error about remote.
func (m *Manager) Unreachable(remote netip.AddrPort) {
	for _, s := range m.Sessions() {
		if s.pending.hint.CompareAndSwap(false, true) {
			told := s.box.Tell(func(now time.Time) {
				s.pending.hint.Store(false)
				s.loop.unreachable(remote, now)
			})
			if !told {
				s.pending.hint.Store(false)
			}
		}
	}
}

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
		if !s.copyDormant(certain) {
			s.box.Post(func(now time.Time) { s.loop.copied(certain, now) })
		}
	}
}

func (l *loop) jumped(d time.Duration, now time.Time) {
	l.log.Info("the machine slept", "for", d)
	l.attempts.Known.Slept(d)
	l.keys.Jumped(d, now)
	l.networkChanged(now)
}

func (l *loop) networkChanged(now time.Time) {
	l.reach.Measure()
	l.suspected(now)
}

// unreachable takes the network's word that a remote cannot be reached: a reason
// to look, no proof.
func (l *loop) unreachable(remote netip.AddrPort, now time.Time) {
	if !l.attempts.Hurry() {
		l.paths.Hint(remote, now)
	}
}

func (l *loop) copied(certain bool, now time.Time) {
	if l.state == Closed {
		return
	}
	l.attempts.Abandon()
	clear(l.halfOpen) // what they agree on was drawn before
	if certain {
		if fresh, err := l.m.self.Uint64(); err == nil {
			l.incarnation = fresh
		}
		l.msgs.Restart()
	}
	had := l.keys.InUse() != nil
	l.keys.Expire(now)
	l.release(now)
	l.attempts.Known = connect.PeerKeys{}
	if (had || l.keep) && !l.asleep {
		l.attempts.HostChanged(now)
	}
}
