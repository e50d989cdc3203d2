package transport

import (
	"errors"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/quicnet"
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
	ErrNoDatagram = quicnet.ErrNoDatagram
	// ErrStreamClosed is a μTCP stream's, once either end has closed it.
	ErrStreamClosed = cause.ErrStreamClosed
)
