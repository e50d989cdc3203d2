// Package cause says why a connection ended or could not be made, for connections
// of every link. Package transport gives these errors public names.
package cause

import (
	"errors"
	"net"
	"strings"
)

// Compare with errors.Is.
var (
	ErrClosed       = errors.New("transport: closed here")
	ErrPeerClosed   = errors.New("transport: closed by the peer")
	ErrReset        = errors.New("transport: the peer does not know this connection, it has restarted")
	ErrIdle         = errors.New("transport: nothing heard from the peer")
	ErrNoAnswer     = errors.New("transport: no answer")
	ErrProtocol     = errors.New("transport: the peer breaks the protocol")
	ErrFault        = errors.New("transport: internal error, recovered")
	ErrStreamClosed = errors.New("transport: the stream is closed") // of a μTCP stream, by either end
)

// MaxReason bounds the text of a peer that goes into an error, in bytes.
const MaxReason = 128

// Clean makes text of a peer safe for logs: printable ASCII, at most MaxReason bytes.
func Clean(s string) string {
	s = s[:min(len(s), MaxReason)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// IsClosed reports whether an error of a socket says that it was closed here.
func IsClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
