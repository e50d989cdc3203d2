package session

import (
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/backoff"
	"github.com/libertaria-project/l2tun/internal/base/lograte"
)

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
	return x.l.keep || x.l.paths.Summary().Peer.IsValid()
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
