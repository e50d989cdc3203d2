package link

import (
	"context"
	"net/netip"
)

// A FreshDialer is a Network that can dial QUIC from a port that it has not used
// yet. Address translators and firewalls on the way decide by the pair of ports:
// an entry of theirs that leads nowhere any more lives on as long as packets come
// from the same one.
type FreshDialer interface {
	DialFresh(ctx context.Context, remote netip.AddrPort) (Conn, error)
}

// A DirectConn is a Conn that knows the direct path between the same two sockets.
type DirectConn interface {
	Conn
	// Direct is nil when the carrier is switched off.
	Direct() Direct
}
