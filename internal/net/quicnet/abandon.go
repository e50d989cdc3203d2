package quicnet

import (
	"bytes"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// goodbyeLife is how long quic-go may repeat the packet that closes a connection:
	// three probe timeouts, with round trips of seconds.
	goodbyeLife = 10 * time.Second
	// maxGoodbyes bounds the packets remembered of one remote, and the remotes.
	maxGoodbyes = 64
)

// An abandonment ends connections without a packet: quic-go closes none of its own
// without one, so what it sends meanwhile is dropped, and again when it repeats that. The
// zero value is ready; safe for concurrent use.
type abandonment struct {
	some atomic.Int32 // remotes in of

	mu sync.Mutex
	of map[netip.AddrPort]*goodbye
}

// A goodbye is what must not leave for a remote.
type goodbye struct {
	closing int      // connections that close at the moment: nothing leaves
	users   int      // closing ones, and those that quic-go may still close again
	packets [][]byte // what was dropped
}

// during drops what leaves for a remote while end ends a connection there.
func (a *abandonment) during(remote netip.AddrPort, end func()) {
	if !a.begin(remote) {
		end()
		return
	}
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.of[remote].closing--
		time.AfterFunc(goodbyeLife, func() { a.forget(remote) })
	}()
	end()
}

// begin reports whether there is room for one more remote.
func (a *abandonment) begin(remote netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.of[remote]
	if g == nil {
		if len(a.of) == maxGoodbyes {
			return false
		}
		if a.of == nil {
			a.of = make(map[netip.AddrPort]*goodbye)
		}
		g = new(goodbye)
		a.of[remote] = g
		a.some.Add(1)
	}
	g.closing++
	g.users++
	return true
}

func (a *abandonment) forget(remote netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[remote].users--; a.of[remote].users == 0 {
		delete(a.of, remote)
		a.some.Add(-1)
	}
}

// has reports whether a connection to a remote was abandoned lately: then no stateless
// reset answers what still comes on it.
func (a *abandonment) has(remote netip.AddrPort) bool {
	if a.some.Load() == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of[remote] != nil
}

// drops reports whether a packet must not leave.
func (a *abandonment) drops(to netip.AddrPort, b []byte) bool {
	if a.some.Load() == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.of[to]
	switch {
	case g == nil:
		return false
	case g.closing > 0:
		if len(g.packets) < maxGoodbyes {
			g.packets = append(g.packets, bytes.Clone(b))
		}
		return true
	}
	for _, p := range g.packets {
		if bytes.Equal(p, b) {
			return true
		}
	}
	return false
}
