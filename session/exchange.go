package session

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// readMessage reads one handshake message. Its length follows from its type, so
// a peer cannot make us wait for, or keep, more than the largest message.
func readMessage(r io.Reader) ([]byte, error) {
	var hdr [wire.HandshakeHeaderSize]byte
	if _, err := io.ReadFull(r, hdr[:]); err != nil {
		return nil, err
	}
	size, err := wire.MessageSize(hdr[:])
	if err != nil {
		return nil, err
	}
	msg := make([]byte, size)
	copy(msg, hdr[:])
	_, err = io.ReadFull(r, msg[len(hdr):])
	return msg, err
}

// eventOf says what the failure of a handshake means to the session: silence is
// a timeout, a wrong proof is authentication_failed, an answer "no" is refused.
func eventOf(err error) Event {
	var refused *handshake.RefusedError
	var netErr net.Error
	switch {
	case errors.As(err, new(*Obstacle)):
		return TransportError
	case errors.Is(err, ErrVersion):
		return OtherVersion
	case errors.Is(err, handshake.ErrNotMe), errors.Is(err, handshake.ErrAuthentication):
		return InvalidSignature
	case errors.As(err, &refused):
		return PeerRefused
	case errors.Is(err, handshake.ErrMalformed), errors.Is(err, handshake.ErrUnexpected):
		return ProtocolViolation
	case errors.Is(err, handshake.ErrDecrypt), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return Timeout
	}
	return TransportError
}

// telling orders failures: an answer says more than silence, and silence more
// than a dial that never left.
var telling = map[Event]int{TransportError: 1, Timeout: 2, ProtocolViolation: 3, InvalidSignature: 4, OtherVersion: 5, PeerRefused: 6}

func moreTelling(a, b error) error {
	if a == nil || b != nil && telling[eventOf(b)] > telling[eventOf(a)] {
		return b
	}
	return a
}
