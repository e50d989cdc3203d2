package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/cause"
)

// Why a connection ended or could not be made; compare with errors.Is.
var (
	ErrClosed     = cause.ErrClosed
	ErrPeerClosed = cause.ErrPeerClosed
	ErrReset      = cause.ErrReset // it has restarted
	ErrIdle       = cause.ErrIdle
	ErrNoAnswer   = cause.ErrNoAnswer
	ErrProtocol   = cause.ErrProtocol
	ErrNoHandler  = errors.New("transport: Handle must be called first")
	ErrNoDatagram = errors.New("transport: the peer takes no datagrams")
	// ErrStreamClosed is a μTCP stream's, once either end has closed it.
	ErrStreamClosed = cause.ErrStreamClosed
)

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
		return fmt.Errorf("%w: %s", ErrPeerClosed, cause.Clean(app.ErrorMessage))
	case errors.As(err, &app):
		return fmt.Errorf("%w: %s", ErrClosed, app.ErrorMessage)
	case errors.As(err, &tr) && tr.Remote:
		return fmt.Errorf("%w: %s %s", ErrPeerClosed, tr.ErrorCode, cause.Clean(tr.ErrorMessage))
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
