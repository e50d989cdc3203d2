package session

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// attempts are the handshakes that a session initiates, one at a time: a resumption
// where there is a secret for it, else a full one. Owned by the loop.
type attempts struct {
	l       *loop
	running *attempt // nil: none
	ended   bool     // the goodbye is sent: nothing is dialled any more
	retry   retry
	known   connect.PeerKeys
}

// An attempt is one of them. It runs in a goroutine of its own and reaches the
// session by call.
type attempt struct {
	*connect.Attempt
	cancel context.CancelFunc
	spare  bool // for a second way to a peer that is established
}

func (x *attempts) init(l *loop) { *x = attempts{l: l, retry: newRetry()} }

// begin starts an attempt, with the event that says why: a full handshake inside
// an established session, else whatever brings the session back.
func (x *attempts) begin(e Event, now time.Time) {
	l := x.l
	if x.running != nil || x.ended || !l.event(e, now) {
		return
	}
	a := x.new(link.Set(l.m.c.Carriers).Links(), now)
	if l.state == Established || l.state == Rotating {
		a.Over = l.paths.StreamConn()
	} else {
		a.Resume, a.Keys = l.keys.Secrets.Resumption(now)
	}
	x.start(a, now)
}

// spare starts an attempt for links that an established session lacks. Without
// links the next handshake of a session that is out of reach leaves now.
func (x *attempts) spare(links []paths.Link, now time.Time) {
	switch {
	case len(links) == 0:
		x.retry.Try(now)
		return
	case x.running != nil || x.ended:
		return
	}
	dialled := make([]wire.Link, len(links))
	for i, l := range links {
		dialled[i] = wire.Link(l)
	}
	a := x.new(dialled, now)
	a.spare = true
	a.Resume, a.Keys = x.l.keys.Secrets.Resumption(now)
	x.start(a, now)
	a.Hurry()
}

// new makes an attempt over links.
func (x *attempts) new(links []wire.Link, now time.Time) *attempt {
	l, known := x.l, x.l.paths.Summary()
	a := &attempt{Attempt: connect.NewAttempt(connect.Initiator{Self: l.m.self, Peer: l.peer.DID,
		Cached: x.known.Valid(now), Params: l.statement(l.keys.Propose())})}
	a.Network, a.Resolver, a.Protect = l.m.c.Network, l.m.c.Resolver, l.s.protect
	a.Links, a.Known, a.NewPort = links, []netip.AddrPort{known.UDP, known.Peer}, x.retry.wantsNewPort()
	a.Spend = func() { l.s.call(func(time.Time) error { l.keys.Secrets.Spend(a.Resume); return nil }) }
	a.Prove = func(p *connect.Proof) error { return x.prove(a, p) }
	return a
}

// start runs an attempt.
func (x *attempts) start(a *attempt, now time.Time) {
	l := x.l
	ctx, cancel := context.WithTimeout(l.ctx, l.peer.Settings.HandshakeTimeout)
	a.cancel, a.AskVersion = cancel, x.asksVersion(a)
	x.running = a
	l.wg.Go(func() {
		defer cancel()
		err := a.Run(ctx)
		l.box.Post(func(now time.Time) { x.done(a, err, now) })
	})
}

// askEvery is how many attempts in a row share one question for the version.
const askEvery = 8

// asksVersion reports whether an attempt may ask for the version: not of a peer that
// has talked to us in ours, and now and then else. A peer that has just restarted
// sends many away for want of room, and another connection of each would not help it.
func (x *attempts) asksVersion(a *attempt) bool {
	if a.Cached != nil || !a.Resume.Secret.IsZero() {
		return false
	}
	return x.l.reason == ReasonVersion || x.retry.Tries()%askEvery == 0
}

// prove hands the proof of an attempt to the session, which decides whether M3 or
// M3r leaves. Called by the attempt's goroutine.
func (x *attempts) prove(a *attempt, p *connect.Proof) error {
	return x.l.s.call(func(now time.Time) error {
		if x.running != a {
			return context.Canceled
		}
		x.running = nil
		err := x.l.proven(&keys.Proof{Proof: *p, Role: rotation.Initiator}, ReceiveResponse, now)
		if err != nil && x.running == nil {
			x.running = a // done says what it means
		}
		return err
	})
}

// abandon gives up the attempt that runs.
func (x *attempts) abandon() {
	if x.running != nil {
		x.running.cancel()
		x.running = nil
	}
}

// done takes note of how an attempt ended.
func (x *attempts) done(a *attempt, err error, now time.Time) {
	clear(a.Resume.Secret[:])
	if x.running != a {
		return // abandoned: its outcome does not matter any more
	}
	x.running = nil
	if err == nil {
		return
	}
	if !a.spare {
		x.retry.obstacles = a.Obstacles()
	}
	if slices.Contains(a.Links, wire.LinkQUIC) {
		x.retry.silent++
	}
	x.l.tally.failed(err)
	x.log(a, err, now)
	x.failed(eventOf(err), now)
}

// log says little of a peer that stays out of reach, and nothing of attempts that a
// session can do without.
func (x *attempts) log(a *attempt, err error, now time.Time) {
	if a.spare || !x.retry.failures.Failed(string(eventOf(err).Reason()), now) {
		x.l.log.Debug("handshake failed", "error", err)
		return
	}
	x.l.log.Info("handshake failed", append([]any{"error", err}, x.retry.failures.Summary(now)...)...)
}

// failed applies the failure of a handshake: it fails a session that has
// nothing better; one that is out of reach keeps its state and tries again.
func (x *attempts) failed(e Event, now time.Time) {
	l := x.l
	switch l.state {
	case HandshakeInitiated, HandshakeReceived:
		if x.running == nil && l.halfOpen.count() == 0 {
			l.event(e, now)
		}
	case Degraded:
		l.reason = e.Reason()
		x.retry.Failed(now)
	} // established: rotation asks again
}
