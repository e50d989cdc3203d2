package quicnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/cause"
)

// ErrNoDatagram is Dial's for a peer without RFC 9221.
var ErrNoDatagram = errors.New("transport: the peer takes no datagrams")

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
		return fmt.Errorf("%w: %s", cause.ErrPeerClosed, cause.Clean(app.ErrorMessage))
	case errors.As(err, &app):
		return fmt.Errorf("%w: %s", cause.ErrClosed, app.ErrorMessage)
	case errors.As(err, &tr) && tr.Remote:
		return fmt.Errorf("%w: %s %s", cause.ErrPeerClosed, tr.ErrorCode, cause.Clean(tr.ErrorMessage))
	case errors.As(err, &rst):
		return cause.ErrReset
	case errors.As(err, &hs):
		return cause.ErrNoAnswer
	case errors.As(err, &idle):
		return cause.ErrIdle
	case errors.Is(err, quic.ErrTransportClosed), errors.Is(err, quic.ErrServerClosed):
		return cause.ErrClosed
	}
	return fmt.Errorf("transport: %w", err)
}
