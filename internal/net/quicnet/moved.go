package quicnet

import (
	"context"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// movesRate is how many times a second it is looked whether an address without
// budget is one to which a connection has moved.
const movesRate = 20

// A move is where a connection's peer is now, if that is not where it was at first.
type move struct {
	to    netip.AddrPort
	leave func()      // ends the exemption
	stop  func() bool // keeps it from ending with the connection
}

// A connTable has the connections, to find one that has moved.
type connTable struct {
	amplification *amplificationGuard
	moves         *rate.Limiter // see moved

	mu  sync.Mutex
	all map[*conn]move
}

func newConnTable(g *amplificationGuard) *connTable {
	return &connTable{amplification: g, moves: rate.NewLimiter(movesRate, movesRate), all: make(map[*conn]move)}
}

func (t *connTable) add(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[c] = move{}
}

func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, c)
}

// moved reports whether a connection has taken an address into use, and exempts
// it then. QUIC says nothing when it has proven a new address; before, what leaves
// for it is paid for by what came from it, as with any stranger: who has a
// connection can send its packets from forged addresses, and quic-go answers every
// PATH_CHALLENGE, of 36 bytes, with 1200.
func (t *connTable) moved(to netip.AddrPort) bool {
	if !t.moves.Allow() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for c, at := range t.all {
		if c.Remote() != to || at.to == to {
			continue
		}
		if at.stop != nil && at.stop() {
			at.leave()
		}
		leave := t.amplification.exempt(to)
		t.all[c] = move{to, leave, context.AfterFunc(c.qc.Context(), leave)}
		return true
	}
	return false
}
