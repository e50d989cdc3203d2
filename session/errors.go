package session

import (
	"errors"
	"fmt"

	"github.com/libertaria-project/l2tun/internal/net/msgchan"
)

var (
	// errNoPurpose: a stream of a peer that begins neither a handshake nor messages.
	errNoPurpose = errors.New("session: a stream for nothing")
	// ErrClosed: the session or its manager has been closed.
	ErrClosed = errors.New("session: closed")
	// ErrUnknownPeer: the DID is not a configured peer.
	ErrUnknownPeer = errors.New("session: unknown peer")
	// ErrExists: the peer is configured already.
	ErrExists = errors.New("session: peer exists already")
	// ErrSelf: the DID is our own.
	ErrSelf = errors.New("session: the peer's DID is our own")
	// ErrNotEstablished: the session has no epoch in use.
	ErrNotEstablished = errors.New("session: no epoch is in use")
	// ErrAsleep is ErrNotEstablished of a session that sleeps, and is being woken.
	ErrAsleep = fmt.Errorf("%w: asleep", ErrNotEstablished)
	// ErrStored: the bytes given to Resume are not what Export returned.
	ErrStored = errors.New("session: no stored session")
	// ErrFailed is wrapped by every failed establishment; the text names the reason.
	ErrFailed = errors.New("session: not established")

	// ErrTooLong: a message is longer than MaxMessage.
	ErrTooLong = msgchan.ErrTooLong
	// ErrQueueFull: messages wait and there was no room for another.
	ErrQueueFull = msgchan.ErrQueueFull
	// ErrOutcomeUnknown: the caller gave up on a message that may still arrive.
	ErrOutcomeUnknown = msgchan.ErrOutcomeUnknown
	// ErrPeerRestarted: the peer that a message was on its way to is gone; whether
	// it took it cannot be known.
	ErrPeerRestarted = msgchan.ErrPeerRestarted
)

// errFault: handling what was received met a defect of this program.
var errFault = errors.New("session: internal error, recovered")
