package session

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	attempts "github.com/libertaria-project/l2tun/internal/net/reach"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// newAttempts makes the attempts of a session, once its paths and keys are made.
func newAttempts(l *loop) *attempts.Attempts {
	return attempts.New(attempts.Config{Owner: reaching{l}, Self: l.m.self, Peer: l.peer.DID, Network: l.m.c.Network, Resolver: l.m.c.Resolver,
		Links: link.Set(l.m.c.Carriers).Links(), Timeout: l.peer.Settings.HandshakeTimeout,
		Keys: l.keys, Paths: l.paths, Protect: l.s.protect, Log: l.log.Logger})
}

// reaching is the session as its attempts see it.
type reaching struct{ l *loop }

var _ attempts.Owner = reaching{}

// Facts implements reach.Owner.
func (x reaching) Facts() attempts.Facts {
	return attempts.Facts{State: x.l.state, Reason: x.l.reason, Keep: x.l.keep, HalfOpen: x.l.halfOpen.count() > 0,
		Awaited: x.l.hub && x.l.m.board.Awaited(), Waits: x.l.slumber.Waits()}
}

// Event implements reach.Owner.
func (x reaching) Event(e Event, now time.Time) bool { return x.l.event(e, now) }

// Admit implements reach.Owner. Hubs do not wait.
func (x reaching) Admit() bool {
	return x.l.hub || x.l.slumber.Admit(x.l.wanted() || len(x.l.waiters) > 0)
}

// Unreached implements reach.Owner.
func (x reaching) Unreached(why Reason) { x.l.reason = why }

// Statement implements reach.Owner.
func (x reaching) Statement(number uint32) wire.Params { return x.l.statement(number) }

// Proven implements reach.Owner.
func (x reaching) Proven(p *connect.Proof, now time.Time) error {
	return x.l.proven(&keys.Proof{Proof: *p, Role: rotation.Initiator}, ReceiveResponse, now)
}

// Counted implements reach.Owner.
func (x reaching) Counted(why Reason) { x.l.tally.failed(why) }

// Tell implements reach.Owner.
func (x reaching) Tell(f func(now time.Time)) { x.l.tell(f) }

// Call implements reach.Owner.
func (x reaching) Call(f func(now time.Time) error) error { return x.l.call(f) }

// Go implements reach.Owner.
func (x reaching) Go(timeout time.Duration, work func(ctx context.Context)) context.CancelFunc {
	ctx, cancel := context.WithTimeout(x.l.ctx, timeout)
	x.l.loops.Go(func() {
		defer cancel()
		work(ctx)
	})
	return cancel
}
