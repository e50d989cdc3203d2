package session

import (
	"math/rand/v2"
	"time"
)

// A retry says when a failed or lost session is tried again: 1 s doubling to
// 60 s, each with up to a quarter of jitter, so that two nodes or a fleet do
// not move in step.
type retry struct {
	at    time.Time // zero: not by itself
	begun time.Time // of the last try
	tries int

	obstacles []Obstacle // that the last attempt met
	silent    int        // attempts in a row that came to no connection of QUIC
	hush      hush       // of the log
}

// ownPort is how many attempts in a row come from the port that listens.
const ownPort = 2

// wantsFresh reports whether the next attempt dials from a new port: every other
// one after two failures. An entry of an address translator or a firewall on the
// way may send what comes from the old port nowhere, for as long as anything comes
// from there; and another rule may let the old port pass and no other.
func (r *retry) wantsFresh() bool { return r.silent >= ownPort && r.silent%2 == 0 }

// reset begins anew, as after a success.
func (r *retry) reset() { *r = retry{begun: r.begun, hush: r.hush} }

// backoff sets the next try.
func (r *retry) backoff(now time.Time) {
	wait := min(retryMin<<min(r.tries, 16), retryMax)
	r.tries++
	r.at = now.Add(wait - rand.N(wait/4))
}

// soon brings the next try forward to now.
func (r *retry) soon(now time.Time) { r.at = now }

// tickRetry starts the next attempt when its time has come.
func (s *Session) tickRetry(now time.Time) {
	if s.attempt != nil || !due(s.retry.at, now) {
		return
	}
	s.retry.at, s.retry.begun = time.Time{}, now
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
	return s.retry.at
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
