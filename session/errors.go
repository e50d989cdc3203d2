package session

import "errors"

var (
	// ErrClosed: the session or its manager has been closed.
	ErrClosed = errors.New("session: closed")
	// ErrUnknownPeer: the DID is not a configured peer.
	ErrUnknownPeer = errors.New("session: unknown peer")
	// ErrExists: the peer is configured already.
	ErrExists = errors.New("session: peer exists already")
	// ErrSelf: the DID is our own.
	ErrSelf = errors.New("session: the peer's DID is our own")
	// ErrFailed is wrapped by every failed establishment; the text names the reason.
	ErrFailed = errors.New("session: not established")

	errNoPath   = errors.New("session: no path")
	errOtherWon = errors.New("session: another handshake with the peer was completed first")
	errNumbers  = errors.New("session: the peer proposes an epoch number out of range")
)
