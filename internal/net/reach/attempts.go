package reach

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/state"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Attempts are the handshakes that a session initiates, one at a time: a resumption
// where there is a secret for it, else a full one.
type Attempts struct {
	// Known are the peer's keys as a full handshake has used them: the next one does not
	// fetch them again.
	Known connect.PeerKeys
	// Obstacles are what the last attempt met; none once the session is established.
	Obstacles []dial.Obstacle

	c       Config
	running *attempt // nil: none
	ended   bool     // the goodbye is sent: nothing is dialled any more
	retry   retry
	nowhere bool // the last attempt found no endpoint
}

// An attempt is one of them. It runs in a goroutine of its own and reaches the
// session by Call.
type attempt struct {
	*connect.Attempt
	cancel context.CancelFunc
	spare  bool // for a second way to a peer that is established
}

// New makes the attempts of a session, of which none is due.
func New(c Config) *Attempts { return &Attempts{c: c, retry: newRetry()} }

// Running reports whether an attempt runs.
func (x *Attempts) Running() bool { return x.running != nil }

// Busy reports whether no attempt can begin.
func (x *Attempts) Busy() bool { return x.running != nil || x.ended }

// Nowhere reports whether the last attempt found no endpoint.
func (x *Attempts) Nowhere() bool { return x.nowhere }

// Begin starts an attempt, with the event that says why: a full handshake inside
// an established session, else whatever brings the session back.
func (x *Attempts) Begin(e state.Event, now time.Time) {
	if !x.Busy() && x.c.Owner.Event(e, now) {
		x.whole(now)
	}
}

// whole starts an attempt over all that the peer may be reached by.
func (x *Attempts) whole(now time.Time) {
	a := x.new(x.c.Links, now)
	a.Patient = x.c.Paths.Hubs() // a meeting may open remotes
	x.learns(a)
	if s := x.c.Owner.Facts().State; s == state.Established || s == state.Rotating {
		a.Over = x.c.Paths.StreamConn()
	} else {
		a.Resume, a.Keys = x.c.Keys.Secrets.Resumption(now)
	}
	x.start(a)
}

// learns lets an attempt say where the config's endpoints lead to.
func (x *Attempts) learns(a *attempt) {
	var all []netip.AddrPort // of this attempt; the loop's
	a.Endpoints = func(n int) {
		x.c.Owner.Tell(func(time.Time) { x.nowhere = n == 0 })
	}
	a.Found = func(remotes []netip.AddrPort) {
		x.c.Owner.Tell(func(now time.Time) {
			all = append(all, remotes...)
			x.c.Paths.Configured(all, now)
		})
	}
}

// Spare starts an attempt for links that an established session lacks, at remotes alone
// if there are any; one that runs dials these too. Without links the next handshake of a
// session that is out of reach leaves now.
func (x *Attempts) Spare(links []paths.Link, remotes []netip.AddrPort, now time.Time) {
	switch {
	case len(links) == 0:
		x.retry.Try(now)
		return
	case x.running != nil && len(remotes) > 0:
		if !x.running.Follows() { // it began before there was a hub, and would not dial them
			x.Abandon()
			x.whole(now)
		}
		x.running.Join(remotes...)
		return
	case x.Busy():
		return
	}
	dialled := make([]wire.Link, len(links))
	for i, l := range links {
		dialled[i] = wire.Link(l)
	}
	a := x.new(dialled, now)
	a.spare = true
	if len(remotes) > 0 {
		a.Only, a.Known = true, nil
		a.Join(remotes...)
	}
	a.Resume, a.Keys = x.c.Keys.Secrets.Resumption(now)
	x.start(a)
	a.Hurry()
}

// new makes an attempt over links.
func (x *Attempts) new(links []wire.Link, now time.Time) *attempt {
	known := x.c.Paths.Summary()
	a := &attempt{Attempt: connect.NewAttempt(connect.Initiator{Self: x.c.Self, Peer: x.c.Peer,
		Cached: x.Known.Valid(now), Params: x.c.Owner.Statement(x.c.Keys.Propose())})}
	a.Network, a.Resolver, a.Protect = x.c.Network, x.c.Resolver, x.c.Protect
	a.Links, a.NewPort = links, x.retry.wantsNewPort()
	for _, r := range append([]netip.AddrPort{known.UDP, known.Peer}, x.c.Self.Remembered(x.c.Peer)...) {
		if r.IsValid() && x.c.Paths.Passes(r, now) {
			a.Known = append(a.Known, r)
		}
	}
	a.Spend = func() {
		x.c.Owner.Call(func(time.Time) error { x.c.Keys.Secrets.Spend(a.Resume); return nil })
	}
	a.Prove = func(p *connect.Proof) error { return x.prove(a, p) }
	return a
}

// start runs an attempt.
func (x *Attempts) start(a *attempt) {
	a.AskVersion = x.asksVersion(a)
	x.running = a
	a.cancel = x.c.Owner.Go(x.c.Timeout, func(ctx context.Context) {
		err := a.Run(ctx)
		x.c.Owner.Tell(func(now time.Time) { x.done(a, err, now) })
	})
}

// askEvery is how many attempts in a row share one question for the version.
const askEvery = 8

// asksVersion reports whether an attempt may ask for the version: not of a peer that
// has talked to us in ours, and now and then else. A peer that has just restarted
// sends many away for want of room, and another connection of each would not help it.
func (x *Attempts) asksVersion(a *attempt) bool {
	if a.Cached != nil || !a.Resume.Secret.IsZero() {
		return false
	}
	return x.c.Owner.Facts().Reason == state.ReasonVersion || x.retry.Tries()%askEvery == 0
}

// prove hands the proof of an attempt to the session, which decides whether M3 or
// M3r leaves. Called by the attempt's goroutine.
func (x *Attempts) prove(a *attempt, p *connect.Proof) error {
	return x.c.Owner.Call(func(now time.Time) error {
		if x.running != a {
			return context.Canceled
		}
		x.running = nil
		err := x.c.Owner.Proven(p, now)
		if err != nil && x.running == nil {
			x.running = a // done says what it means
		}
		return err
	})
}

// Abandon gives up the attempt that runs.
func (x *Attempts) Abandon() {
	if x.running != nil {
		x.running.cancel()
		x.running = nil
	}
}

// End lets no further attempt begin.
func (x *Attempts) End() { x.ended = true }

// Hurry lets the attempt that runs dial μTCP without delay; false if none runs.
func (x *Attempts) Hurry() bool {
	if x.running == nil {
		return false
	}
	x.running.Hurry()
	return true
}

// done takes note of how an attempt ended.
func (x *Attempts) done(a *attempt, err error, now time.Time) {
	clear(a.Resume.Secret[:])
	if x.running != a {
		return // abandoned: its outcome does not matter any more
	}
	x.running = nil
	if err == nil {
		return
	}
	if !a.spare {
		x.Obstacles = a.Obstacles()
	}
	if slices.Contains(a.Links, wire.LinkQUIC) {
		x.retry.silent++
	}
	e := EventOf(err)
	x.c.Owner.Counted(e.Reason())
	x.log(a, err, now)
	x.Failed(e, now)
}

// log says little of a peer that stays out of reach, and nothing of attempts that a
// session can do without.
func (x *Attempts) log(a *attempt, err error, now time.Time) {
	if a.spare || !x.retry.failures.Failed(string(EventOf(err).Reason()), now) {
		x.c.Log.Debug("handshake failed", "error", err)
		return
	}
	x.c.Log.Info("handshake failed", append([]any{"error", err}, x.retry.failures.Summary(now)...)...)
}

// Failed applies the failure of a handshake: it fails a session that has
// nothing better; one that is out of reach keeps its state and tries again.
func (x *Attempts) Failed(e state.Event, now time.Time) {
	switch f := x.c.Owner.Facts(); f.State {
	case state.HandshakeInitiated, state.HandshakeReceived:
		if x.running == nil && !f.HalfOpen {
			x.c.Owner.Event(e, now)
		}
	case state.Degraded:
		x.c.Owner.Unreached(e.Reason())
		x.retry.Failed(now)
	} // established: rotation asks again
}
