package transport

import (
	"context"
	"net/netip"
)

// movesRate is how many times a second it is looked whether an address without
// credit is one to which a connection has moved.
const movesRate = 20

// A move is where a connection's peer is now, if that is not where it was at first.
// Guarded by Transport.mu.
type move struct {
	to    netip.AddrPort
	leave func()      // ends the friendship
	stop  func() bool // keeps it from ending with the connection
}

// moved reports whether a connection has taken an address into use, and exempts
// it then. QUIC says nothing when it has proven a new address; before, what leaves
// for it is paid for by what came from it, as with any stranger: who has a
// connection can send its packets from forged addresses, and quic-go answers every
// question about a way, of 36 bytes, with 1200.
func (t *Transport) moved(to netip.AddrPort) bool {
	if !t.moves.Allow() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range t.conns {
		c, ok := l.(*conn)
		if !ok || c.Remote() != to || c.move.to == to {
			continue
		}
		if c.move.stop != nil && c.move.stop() {
			c.move.leave()
		}
		leave := t.amplification.exempt(to)
		c.move = move{to, leave, context.AfterFunc(c.qc.Context(), leave)}
		return true
	}
	return false
}
