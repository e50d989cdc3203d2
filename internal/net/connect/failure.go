package connect

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/dial"
)

// A Failure is what the error of a handshake says about the peer.
type Failure uint8

// The failures, in ascending order of what they say about the peer: an answer says
// more than silence, and silence more than a dial that never left.
const (
	Unreached  Failure = iota + 1 // the network's error, or the peer ended the connection
	Silent                        // no answer in time, or one that does not open
	Malformed                     // an answer against the protocol
	Forged                        // a wrong proof
	OldVersion                    // the peer is of version 0.1.0
	Refused                       // an answer "no"
)

// FailureOf sorts the errors of this package and of packages handshake, dial and
// net. Any other error is Unreached.
func FailureOf(err error) Failure {
	var refused *handshake.RefusedError
	var netErr net.Error
	switch {
	case errors.As(err, new(*dial.Obstacle)):
		return Unreached
	case errors.Is(err, ErrVersion):
		return OldVersion
	case errors.Is(err, handshake.ErrNotMe), errors.Is(err, handshake.ErrAuthentication):
		return Forged
	case errors.As(err, &refused):
		return Refused
	case errors.Is(err, handshake.ErrMalformed), errors.Is(err, handshake.ErrUnexpected):
		return Malformed
	case errors.Is(err, handshake.ErrDecrypt), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return Silent
	}
	return Unreached
}

// MoreInformative is b when it says more about the peer than a, or a is nil; else a.
func MoreInformative(a, b error) error {
	if a == nil || b != nil && FailureOf(b) > FailureOf(a) {
		return b
	}
	return a
}

// A decision is our own "no" to a handshake that the peer has answered: no other
// endpoint would change it.
type decision struct{ Err error }

func (d decision) Error() string { return d.Err.Error() }

// Unwrap is the reason.
func (d decision) Unwrap() error { return d.Err }

// decided reports whether err holds a decision.
func decided(err error) bool { return errors.As(err, new(decision)) }
