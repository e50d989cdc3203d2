package quicnet

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// reducedMTULife is how long a remote is dialled with small packets alone after
	// a black hole on the path to it.
	reducedMTULife = 10 * time.Minute
	// maxReducedMTUs bounds the remotes remembered.
	maxReducedMTUs = 1024
)

// reducedMTUs remembers remotes that packets of full size did not reach. The zero
// value is ready; safe for concurrent use.
type reducedMTUs struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

func (n *reducedMTUs) add(remote netip.AddrPort, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.until == nil {
		n.until = make(map[netip.AddrPort]time.Time)
	}
	for a, until := range n.until {
		if len(n.until) >= maxReducedMTUs || now.After(until) {
			delete(n.until, a)
		}
	}
	n.until[plain(remote)] = now.Add(reducedMTULife)
}

func (n *reducedMTUs) has(remote netip.AddrPort, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Before(n.until[plain(remote)])
}

// plain is an address in its one form.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// size is the size of the first packets to a remote.
func (n *reducedMTUs) size(remote netip.AddrPort) uint16 {
	if n.has(remote, time.Now()) {
		return smallPacket
	}
	return fullPacket
}
