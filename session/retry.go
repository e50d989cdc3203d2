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

// wantsFresh reports whether the next attempt dials from a new port: every other
// one after two failures. An entry of an address translator or a firewall on the
// way may send what comes from the old port nowhere, for as long as anything comes
// from there; and another rule may let the old port pass and no other.
func (r *retry) wantsFresh() bool { return r.silent >= ownPort && r.silent%2 == 0 }

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

// tickRetry starts the next attempt when its time has come.
func (s *Session) tickRetry(now time.Time) {
	if s.attempt != nil || !due(s.retry.Deadline(), now) {
		return
	}
	s.retry.Begun()
	s.retry.begun = now
	switch s.state {
	case Idle, HandshakeReceived, Degraded:
		s.begin(InitiateHandshake, now)
	case Suspended, Failed:
		s.begin(Retry, now)
	}
}

func (s *Session) retryDeadline() time.Time {
	if s.attempt != nil || s.state == Established || s.state == Rotating {
		return time.Time{}
	}
	return s.retry.Deadline()
}

// tickState ends an outage or a handshake that takes too long.
func (s *Session) tickState(now time.Time) {
	if !due(s.stateDeadline(), now) {
		return
	}
	s.event(Timeout, now)
}

func (s *Session) stateDeadline() time.Time {
	switch {
	case s.state == Degraded:
		return s.since.Add(s.peer.Settings.DegradedTimeout)
	case (s.state == HandshakeInitiated || s.state == HandshakeReceived) && s.attempt == nil && s.halfOpen.count() == 0:
		return s.since.Add(s.peer.Settings.HandshakeTimeout) // nothing is under way: it must not stay so
	}
	return time.Time{}
}
