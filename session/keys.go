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
type keyed struct{ l *loop }

var _ keys.Session = keyed{}

// newKeys makes the store of a session's keys.
func newKeys(l *loop) *keys.Store {
	set := l.peer.Settings
	return keys.New(keys.Config{Session: keyed{l}, Self: l.m.self, Plane: l.plane, Messages: &l.msgs.Keys, Counts: &l.tally.keys, Log: l.log.Logger,
		Rotation: rotation.Config{
			Slot:           l.m.beats.Next,
			Smaller:        l.m.c.Identity.DID().Compare(l.peer.DID) < 0,
			RekeyAfter:     set.RekeyAfter,
			TTL:            set.TTL,
			RotationWindow: set.RotationWindow,
		}})
}

// Path implements keys.Session.
func (k keyed) Path() link.Path {
	if k.l.slumber.Quiet() {
		return nil
	}
	return k.l.paths.Using()
}

// Params implements keys.Session.
func (k keyed) Params(number uint32) (wire.Params, error) { return k.l.params(number) }

// InUse implements keys.Session.
func (k keyed) InUse() { k.l.send() }

// Confirm implements keys.Session.
func (k keyed) Confirm(now time.Time) { k.l.paths.Heartbeat(now) }

// FullHandshake implements keys.Session.
func (k keyed) FullHandshake(now time.Time) { k.l.attempts.Begin(InitiateHandshake, now) }

// Rotating implements keys.Session: the state says it.
func (k keyed) Rotating(on bool, now time.Time) {
	switch {
	case on && k.l.state == Established:
		k.l.event(TimeToRotate, now)
	case !on && k.l.state == Rotating:
		k.l.event(RotationComplete, now)
	}
}

// Stopped implements keys.Session. A session that is up or degraded fails with the
// reason; one that is already looking for its peer only loses the keys.
func (k keyed) Stopped(why rotation.Reason, now time.Time) (dropped bool) {
	if why == rotation.SessionExpired {
		return k.l.event(SessionExpired, now)
	}
	return k.l.event(RotationTimeout, now)
}

// Answers implements keys.Session.
func (k keyed) Answers(id handshake.ResumeID, on bool) {
	if on {
		k.l.m.answers(id, k.l.s)
	} else {
		k.l.m.answers(id, nil)
	}
}
