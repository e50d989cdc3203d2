package link

import (
	"context"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An EarlyDialer is a Network that can send before QUIC's handshake is complete
// (0-RTT). What is sent so can be read and replayed by others: an M1r only.
type EarlyDialer interface {
	// DialEarly fails at once when there is no ticket for it: of the remote, or of a
	// circuit to the peer that DialFor has named.
	DialEarly(ctx context.Context, remote netip.AddrPort) (EarlyConn, error)
}

// peerKey is where the context of a dial has whom it is for.
type peerKey struct{}

// DialFor names the peer that dials with a context are for, by the digest of its DID.
// Then a dial through a circuit resumes with a ticket from any dial to the peer, and
// every dial with one from a circuit.
func DialFor(ctx context.Context, peer [wire.DigestSize]byte) context.Context {
	return context.WithValue(ctx, peerKey{}, peer)
}

// DialedFor is the peer that DialFor has named; zero: none.
func DialedFor(ctx context.Context) (peer [wire.DigestSize]byte) {
	peer, _ = ctx.Value(peerKey{}).([wire.DigestSize]byte)
	return peer
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
