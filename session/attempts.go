package session

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/backoff"
	"github.com/libertaria-project/l2tun/internal/base/lograte"
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
	nowhere bool // the last attempt found no endpoint
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
	a.Patient = l.paths.Hubs() // a meeting may open remotes
	x.learns(a)
	if l.state == Established || l.state == Rotating {
		a.Over = l.paths.StreamConn()
	} else {
		a.Resume, a.Keys = l.keys.Secrets.Resumption(now)
	}
	x.start(a, now)
}

// learns lets an attempt say where the config's endpoints lead to.
func (x *attempts) learns(a *attempt) {
	var all []netip.AddrPort // of this attempt; the loop's
	a.Endpoints = func(n int) {
		x.l.tell(func(time.Time) { x.nowhere = n == 0 })
	}
	a.Found = func(remotes []netip.AddrPort) {
		x.l.tell(func(now time.Time) {
			all = append(all, remotes...)
			x.l.paths.Configured(all, now)
		})
	}
}

// spare starts an attempt for links that an established session lacks, at remotes alone
// if there are any; one that runs dials these too. Without links the next handshake of a
// session that is out of reach leaves now.
func (x *attempts) spare(links []paths.Link, remotes []netip.AddrPort, now time.Time) {
	switch {
	case len(links) == 0:
		x.retry.Try(now)
		return
	case x.running != nil && len(remotes) > 0:
		x.running.Join(remotes...)
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
	if len(remotes) > 0 {
		a.Only, a.Known = true, nil
		a.Join(remotes...)
	}
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
	a.Links, a.NewPort = links, x.retry.wantsNewPort()
	for _, r := range []netip.AddrPort{known.UDP, known.Peer} {
		if r.IsValid() && l.paths.Passes(r, now) {
			a.Known = append(a.Known, r)
		}
	}
	a.Spend = func() { l.call(func(time.Time) error { l.keys.Secrets.Spend(a.Resume); return nil }) }
	a.Prove = func(p *connect.Proof) error { return x.prove(a, p) }
	return a
}

// start runs an attempt.
func (x *attempts) start(a *attempt, now time.Time) {
	l := x.l
	ctx, cancel := context.WithTimeout(l.ctx, l.peer.Settings.HandshakeTimeout)
	a.cancel, a.AskVersion = cancel, x.asksVersion(a)
	x.running = a
	l.loops.Go(func() {
		defer cancel()
		err := a.Run(ctx)
		l.tell(func(now time.Time) { x.done(a, err, now) })
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
	return x.l.call(func(now time.Time) error {
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

// A retry is when a failed or lost session is tried again, and how the attempts
// went since it was established.
type retry struct {
	backoff.Schedule
	begun time.Time // of the last try

	obstacles []Obstacle       // that the last attempt met
	silent    int              // attempts in a row that came to no connection of QUIC
	failures  lograte.Failures // what the log has of them
}

func newRetry() retry { return retry{Schedule: backoff.Schedule{Min: retryMin, Max: retryMax}} }

// ownPort is how many attempts in a row come from the port that listens.
const ownPort = 2

// wantsNewPort reports whether the next attempt dials from a new port: every other
// one after two failures. An entry of an address translator or a firewall on the
// way may send what comes from the old port nowhere, for as long as anything comes
// from there; and another rule may let the old port pass and no other.
func (r *retry) wantsNewPort() bool { return r.silent >= ownPort && r.silent%2 == 0 }

// reset begins anew, as after a success.
func (r *retry) reset() {
	r.Reset()
	r.obstacles, r.silent = nil, 0
}

// level is that of a line about a change of state: attempts at a peer that stays out
// of reach are not announced, and their failures are thinned.
func (r *retry) level(to State, reason Reason, now time.Time) slog.Level {
	switch {
	case to == Failed && r.failures.Failed(string(reason), now):
		return slog.LevelWarn
	case to == Established:
		r.failures.Succeeded()
	case to == Failed, r.failures.Failing() && (to == HandshakeInitiated || to == HandshakeReceived):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// tick starts the next attempt when its time has come.
func (x *attempts) tick(now time.Time) {
	if x.running != nil || !due(x.retry.Deadline(), now) {
		return
	}
	x.retry.Begun()
	x.retry.begun = now
	switch x.l.state {
	case Idle, HandshakeReceived, Degraded:
		x.begin(InitiateHandshake, now)
	case Suspended, Failed:
		x.begin(Retry, now)
	}
}

func (x *attempts) deadline() time.Time {
	if x.running != nil || x.l.state == Established || x.l.state == Rotating {
		return time.Time{}
	}
	return x.retry.Deadline()
}

// canDial reports whether we have any idea where the peer is.
func (x *attempts) canDial() bool {
	return x.l.keep || x.l.paths.Summary().Peer.IsValid() || x.l.paths.Hubs()
}

// headStart is what we leave to the peer when both lose each other at once, so
// that their handshakes seldom cross: an end that knows no endpoint waits for
// one that may; of two that do, the one with the larger DID waits.
func (x *attempts) headStart() time.Duration {
	switch {
	case !x.l.keep:
		return 2 * time.Second
	case x.l.m.c.Identity.DID().Compare(x.l.peer.DID) > 0:
		return 300 * time.Millisecond
	}
	return 0
}

// lost looks for the peer with handshakes over new connections.
func (x *attempts) lost(now time.Time) {
	if x.canDial() {
		x.retry.reset()
		x.retry.Try(now.Add(x.headStart()))
	}
}

// want brings the next attempt forward to now, unless one runs.
func (x *attempts) want(now time.Time) {
	if x.running == nil {
		x.retry.Try(now)
	}
}

// hostChanged ends the waiting for the next attempt: what failed before may do now.
func (x *attempts) hostChanged(now time.Time) {
	if x.running == nil && x.canDial() {
		x.retry.Forgive()
		x.retry.Try(now)
	}
}

// demandGap is the least time between two attempts that local traffic causes.
const demandGap = 5 * time.Second

// demand is local traffic that wants out: it starts an idle session, ends the
// waiting of a suspended one and shortens that of a failed one.
func (x *attempts) demand(now time.Time) {
	if x.running != nil || !x.canDial() {
		return
	}
	switch x.l.state {
	case Suspended, Idle:
		x.retry.Try(now)
	case Failed:
		if at := x.retry.begun.Add(demandGap); at.Before(x.retry.Deadline()) {
			x.retry.Try(latest(at, now))
		}
	}
}
