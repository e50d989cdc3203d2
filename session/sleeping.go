package session

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/slumber"
)

// newSleep makes the sleep of a session, once its paths and keys are made.
func newSleep(l *loop) *slumber.Sleep {
	return slumber.New(slumber.Config{Session: sleeping{l}, Member: sleeper{l.s}, Sleepers: l.m.sleepers, Peer: l.peer.DID,
		IdleAfter: l.peer.Settings.IdleAfter, Timeout: l.peer.Settings.HandshakeTimeout,
		Paths: l.paths, Keys: l.keys, Messages: l.msgs, Plane: l.plane, Seat: l.seat})
}

// sleeping is the session as its sleep sees it. Every call comes from its loop.
type sleeping struct{ l *loop }

var _ slumber.Session = sleeping{}

// Able implements slumber.Session.
func (x sleeping) Able() bool { return !x.l.awake.Load() && !x.l.hub }

// Bound implements slumber.Session.
func (x sleeping) Bound(agreed bool) bool {
	l := x.l
	return !l.leaveBy.IsZero() || !agreed &&
		(l.state != Established || l.attempts.Running() || l.halfOpen.count() > 0 || l.pings.Any())
}

// Asleep implements slumber.Session.
func (x sleeping) Asleep() bool { return x.l.asleep }

// Send implements slumber.Session.
func (x sleeping) Send() { x.l.send() }

// Sleep implements slumber.Session.
func (x sleeping) Sleep(now time.Time) { x.l.retire(now) }

// Wake implements slumber.Session.
func (x sleeping) Wake(now time.Time) { x.l.attempts.Want(now) }

// Beside implements slumber.Session.
func (x sleeping) Beside(work func(ctx context.Context), then func(now time.Time)) {
	x.l.loops.Go(func() {
		work(x.l.ctx)
		x.l.tell(then)
	})
}

// sleeper is a session as the sleepers of its node see it.
type sleeper struct{ s *Session }

var _ slumber.Member = sleeper{}

// Wake implements slumber.Member.
func (k sleeper) Wake() { k.s.box.Post(func(now time.Time) { k.s.loop.slumber.Woken(now) }) }

// Crowded implements slumber.Member.
func (k sleeper) Crowded() { k.s.box.Tell(func(now time.Time) { k.s.loop.slumber.Crowded(now) }) }
