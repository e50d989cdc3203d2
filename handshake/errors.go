package handshake

import (
	"errors"
	"fmt"
)

var (
	// ErrNotMe: the node at the endpoint has another DID: its KEYS does not open.
	// Whoever can change the answer can cause it as well.
	ErrNotMe = errors.New("handshake: the node at this endpoint is not the peer asked for")
	// ErrAuthentication: a proof of identity is wrong, although its maker
	// took part in the key agreement, or key set and prekey are not the peer's.
	ErrAuthentication = errors.New("handshake: authentication failed")
	// ErrOldPrekey: the prekey that the peer shows has been overdue for a day, by
	// clocks that are known to be right. Only who stole it has a use for it.
	ErrOldPrekey = errors.New("handshake: the peer's prekey is out of date")
	// ErrDecrypt: a message does not open. It was changed, meant for another
	// connection or made with other keys; anybody can cause it.
	ErrDecrypt = errors.New("handshake: message does not open")
	// ErrMalformed: a message is not of the form the protocol has.
	ErrMalformed = errors.New("handshake: malformed message")
	// ErrUnexpected: a message or call that has no place now, or a dead machine.
	ErrUnexpected = errors.New("handshake: unexpected message or call")
	// ErrSelf: both ends have the same DID.
	ErrSelf = errors.New("handshake: the peer has this node's own DID")
	// ErrUnknownSecret: the responder does not hold the secret that a short
	// handshake starts from; make a full one.
	ErrUnknownSecret = errors.New("handshake: no such rekey or resumption secret")

	errParams     = errors.New("handshake: session parameters without a record id or epoch")
	errWrongKnown = errors.New("handshake: cached keys belong to another DID")
	errOldEpoch   = errors.New("handshake: an answer cannot go back to an earlier epoch")
	errOtherEpoch = errors.New("handshake: a rotation leads to the epoch that it names, a resumption not back")
	errShort      = errors.New("handshake: a short handshake needs an epoch and an attempt up to 65535, or a resumption id")
	errPrekeySpan = errors.New("handshake: a prekey's life must end after it begins")
)

// A Refusal is why a responder that knows the initiator will not go on.
type Refusal byte

const (
	RefusedNotConfigured Refusal = 1 // the initiator is not one of the responder's peers
	RefusedBusy          Refusal = 2 // no room for another session now
	RefusedPolicy        Refusal = 3 // configured, but not allowed at present
	RefusedDuplicate     Refusal = 4 // both ends started, and the responder's own handshake goes on
	RefusedNoInvitation  Refusal = 5 // a join, and no invitation is open
)

func (r Refusal) String() string {
	switch r {
	case RefusedNotConfigured:
		return "not a configured peer"
	case RefusedBusy:
		return "busy"
	case RefusedPolicy:
		return "not allowed"
	case RefusedDuplicate:
		return "the other handshake goes on"
	case RefusedNoInvitation:
		return "no invitation is open"
	}
	return fmt.Sprintf("reason %d", byte(r))
}

// A RefusedError says that the true responder, and nobody else, refused.
type RefusedError struct{ Reason Refusal }

func (e *RefusedError) Error() string { return "handshake: refused by the peer: " + e.Reason.String() }

func randomFailed(err error) error { return fmt.Errorf("handshake: random source: %w", err) }
