package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/quic-go/quic-go"
)

// Why a connection ended or could not be made; compare with errors.Is.
var (
	ErrClosed     = errors.New("transport: closed here")
	ErrPeerClosed = errors.New("transport: closed by the peer")
	ErrReset      = errors.New("transport: the peer does not know this connection, it has restarted")
	ErrIdle       = errors.New("transport: nothing heard from the peer")
	ErrNoAnswer   = errors.New("transport: no answer")
	ErrNoHandler  = errors.New("transport: Handle must be called first")
	ErrNoDatagram = errors.New("transport: the peer takes no datagrams")
	ErrProtocol   = errors.New("transport: the peer breaks the protocol")
	errFault      = errors.New("transport: internal error, recovered")
	// ErrStreamClosed is a μTCP stream's, once either end has closed it.
	ErrStreamClosed = errors.New("transport: the stream is closed")
)

// maxReason bounds the text of a peer that goes into an error, in bytes.
const maxReason = 128

// connError maps what quic-go says about a connection to our sentinels. Stream
// errors and deadlines pass as they are.
func connError(err error) error {
	var (
		app  *quic.ApplicationError
		tr   *quic.TransportError
		rst  *quic.StatelessResetError
		idle *quic.IdleTimeoutError
		hs   *quic.HandshakeTimeoutError
	)
	switch {
	case err == nil, err == io.EOF, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &app) && app.Remote:
		return fmt.Errorf("%w: %s", ErrPeerClosed, clean(app.ErrorMessage))
	case errors.As(err, &app):
		return fmt.Errorf("%w: %s", ErrClosed, app.ErrorMessage)
	case errors.As(err, &tr) && tr.Remote:
		return fmt.Errorf("%w: %s %s", ErrPeerClosed, tr.ErrorCode, clean(tr.ErrorMessage))
	case errors.As(err, &rst):
		return ErrReset
	case errors.As(err, &hs):
		return ErrNoAnswer
	case errors.As(err, &idle):
		return ErrIdle
	case errors.Is(err, quic.ErrTransportClosed), errors.Is(err, quic.ErrServerClosed):
		return ErrClosed
	}
	return fmt.Errorf("transport: %w", err)
}

// clean makes text of a peer safe for logs: printable ASCII, at most maxReason bytes.
func clean(s string) string {
	s = s[:min(len(s), maxReason)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// isClosed reports whether an error of the socket says that we closed it.
func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
