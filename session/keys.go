package session

import (
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// keyed is the session as its keys see it. Every call comes from its loop.
type keyed struct{ s *Session }

var _ keys.Session = keyed{}

// newKeys makes the store of a session's keys.
func newKeys(s *Session) *keys.Store {
	set := s.peer.Settings
	return keys.New(keys.Config{Session: keyed{s}, Self: s.m.self, Plane: s.plane, Messages: &s.msgs.Keys, Log: s.log.Logger,
		Rotation: rotation.Config{
			Smaller:        s.m.c.Identity.DID().Compare(s.peer.DID) < 0,
			RekeyAfter:     set.RekeyAfter,
			TTL:            set.TTL,
			RotationWindow: set.RotationWindow,
		}})
}

// Path implements keys.Session.
func (k keyed) Path() link.Path { return k.s.path() }

// Params implements keys.Session.
func (k keyed) Params(number uint32) (wire.Params, error) { return k.s.params(number) }

// InUse implements keys.Session.
func (k keyed) InUse() { k.s.send() }

// Confirm implements keys.Session.
func (k keyed) Confirm(now time.Time) { k.s.heartbeat(now) }

// FullHandshake implements keys.Session.
func (k keyed) FullHandshake(now time.Time) { k.s.attempts.begin(InitiateHandshake, now) }

// Rotating implements keys.Session: the state says it.
func (k keyed) Rotating(on bool, now time.Time) {
	switch {
	case on && k.s.state == Established:
		k.s.event(TimeToRotate, now)
	case !on && k.s.state == Rotating:
		k.s.event(RotationComplete, now)
	}
}

// Stopped implements keys.Session. A session that is up or degraded fails with the
// reason; one that is already looking for its peer only loses the keys.
func (k keyed) Stopped(why rotation.Reason, now time.Time) (dropped bool) {
	if why == rotation.SessionExpired {
		return k.s.event(SessionExpired, now)
	}
	return k.s.event(RotationTimeout, now)
}

// Answers implements keys.Session.
func (k keyed) Answers(id handshake.ResumeID, on bool) {
	if on {
		k.s.m.answers(id, k.s)
	} else {
		k.s.m.answers(id, nil)
	}
}

// replyPath is where the answer to a message of a rotation goes: back on its path,
// which the peer uses while ours may be broken. The message may be a replay, so only
// a proven path counts.
func (s *Session) replyPath(asked link.Path) link.Path {
	if p := &s.paths; p.machine.Proves(p.idOf(asked)) {
		return asked
	}
	return s.path()
}
