package quicnet

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// narrowLife is how long a remote is dialled with small packets alone after
	// its way has become narrow.
	narrowLife = 10 * time.Minute
	// maxNarrow bounds the remotes remembered.
	maxNarrow = 1024
)

// narrowWays remembers remotes that packets of full size did not reach. The zero
// value is ready; safe for concurrent use.
type narrowWays struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

func (n *narrowWays) add(remote netip.AddrPort, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.until == nil {
		n.until = make(map[netip.AddrPort]time.Time)
	}
	for a, until := range n.until {
		if len(n.until) >= maxNarrow || now.After(until) {
			delete(n.until, a)
		}
	}
	n.until[plain(remote)] = now.Add(narrowLife)
}

func (n *narrowWays) has(remote netip.AddrPort, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Before(n.until[plain(remote)])
}

// plain is an address in its one form.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// size is the size of the first packets to a remote.
func (n *narrowWays) size(remote netip.AddrPort) uint16 {
	if n.has(remote, time.Now()) {
		return smallPacket
	}
	return fullPacket
}
