package reach

import (
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/state"
)

// Tick starts the next attempt when its time has come.
func (x *Attempts) Tick(now time.Time) {
	if at := x.next(); x.running != nil || at.IsZero() || now.Before(at) || !x.admitted() {
		return
	}
	x.retry.Begun()
	x.retry.begun = now
	switch x.c.Owner.Facts().State {
	case state.Idle, state.HandshakeReceived, state.Degraded:
		x.Begin(state.InitiateHandshake, now)
	case state.Suspended, state.Failed:
		x.Begin(state.Retry, now)
	}
}

// Deadline is when Tick has work; zero for none.
func (x *Attempts) Deadline() time.Time {
	if x.running != nil || x.c.Owner.Facts().Waits {
		return time.Time{}
	}
	if s := x.c.Owner.Facts().State; s == state.Established || s == state.Rotating {
		return time.Time{}
	}
	return x.next()
}

// admitted reports whether an attempt may begin now: sessions without keys are queued, so that
// a node which starts, or is scanned, does not dial everybody at once.
func (x *Attempts) admitted() bool {
	switch x.c.Owner.Facts().State {
	case state.Idle, state.Suspended, state.Failed:
		return x.c.Owner.Admit()
	}
	return true
}

// awaitedGap is the time from one attempt to the next at a hub that sessions wait for.
const awaitedGap = time.Second

// next is when the next attempt is due: sooner at a hub that sessions wait for.
func (x *Attempts) next() time.Time {
	at := x.retry.Deadline()
	if soon := x.retry.begun.Add(awaitedGap); !at.IsZero() && soon.Before(at) && x.c.Owner.Facts().Awaited {
		return soon
	}
	return at
}

// CanDial reports whether we have any idea where the peer is.
func (x *Attempts) CanDial() bool {
	return x.c.Owner.Facts().Keep || x.c.Paths.Summary().Peer.IsValid() || x.c.Paths.Hubs()
}

// Yields reports whether this end leaves the first handshake after a loss to the peer.
func (x *Attempts) Yields() bool { return x.headStart() > 0 }

// headStart is what we leave to the peer when both lose each other at once, so
// that their handshakes seldom cross: an end that knows no endpoint waits for
// one that may; of two that do, the one with the larger DID waits.
func (x *Attempts) headStart() time.Duration {
	switch {
	case !x.c.Owner.Facts().Keep:
		return 2 * time.Second
	case x.c.Self.Identity.DID().Compare(x.c.Peer) > 0:
		return 300 * time.Millisecond
	}
	return 0
}

// Try sets the next attempt, whatever failed before.
func (x *Attempts) Try(at time.Time) { x.retry.Try(at) }

// BackOff sets the next attempt after one that failed.
func (x *Attempts) BackOff(now time.Time) { x.retry.Failed(now) }

// Reset begins anew, as after a success: no attempt is due.
func (x *Attempts) Reset() {
	x.retry.Reset()
	x.Obstacles, x.retry.silent = nil, 0
}

// OverQUIC takes note that a connection of QUIC has carried a handshake: the port that
// listens serves.
func (x *Attempts) OverQUIC() { x.retry.silent = 0 }

// Lost looks for the peer with handshakes over new connections.
func (x *Attempts) Lost(now time.Time) {
	if x.CanDial() {
		x.Reset()
		x.retry.Try(now.Add(x.headStart()))
	}
}

// Want brings the next attempt forward to now, unless one runs.
func (x *Attempts) Want(now time.Time) {
	if x.running == nil {
		x.retry.Try(now)
	}
}

// HostChanged ends the waiting for the next attempt: what failed before may do now.
func (x *Attempts) HostChanged(now time.Time) {
	if x.running == nil && x.CanDial() {
		x.retry.Forgive()
		x.retry.Try(now)
	}
}

// demandGap is the least time between two attempts that local traffic causes.
const demandGap = 5 * time.Second

// Demand is local traffic that wants out: it starts an idle session, ends the
// waiting of a suspended one and shortens that of a failed one.
func (x *Attempts) Demand(now time.Time) {
	if x.running != nil || !x.CanDial() {
		return
	}
	switch x.c.Owner.Facts().State {
	case state.Suspended, state.Idle:
		x.retry.Try(now)
	case state.Failed:
		if at := x.retry.begun.Add(demandGap); at.Before(x.retry.Deadline()) {
			if at.Before(now) {
				at = now
			}
			x.retry.Try(at)
		}
	}
}

// Level is that of a line about a change of state.
func (x *Attempts) Level(to state.State, reason state.Reason, now time.Time) slog.Level {
	return x.retry.level(to, reason, now)
}
