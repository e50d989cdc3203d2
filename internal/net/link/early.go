package link

import (
	"context"
	"net/netip"
)

// An EarlyDialer is a Network that can send before QUIC's handshake is complete
// (0-RTT). What is sent so can be read and replayed by others: an M1r only.
type EarlyDialer interface {
	// DialEarly fails at once when the remote gave no ticket for it.
	DialEarly(ctx context.Context, remote netip.AddrPort) (EarlyConn, error)
}

// An EarlyConn is a connection whose handshake is under way. End it with
// Complete or Close.
type EarlyConn interface {
	// Stream is the one stream that may be used before Complete.
	Stream() Stream
	// Complete waits for the handshake and returns the connection. Unless the
	// peer has taken what was sent, the early stream is dead.
	Complete(ctx context.Context) (conn Conn, taken bool, err error)
	Close(reason string) error
}

// An Incomplete is an accepted Conn that may come before its handshake is
// complete. Its Binding is final; who reads before Completed is closed may read
// a replay.
type Incomplete interface {
	Conn
	Completed() <-chan struct{}
}
