package transport

import (
	"net/netip"
	"sync"
)

const (
	// maxStrangers bounds the accepted TCP connections whose peer has not proven
	// who it is, and maxFromOne those of one source: an address of IPv4, or a /56.
	maxStrangers = 512
	maxFromOne   = 16
)

// strangers counts connections of unknown peers.
type strangers struct {
	mu  sync.Mutex
	all int
	by  map[netip.Prefix]int
}

// enter counts one more, if the limits allow it.
func (s *strangers) enter(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := sourceOf(a)
	if s.all == maxStrangers || s.by[p] == maxFromOne {
		return false
	}
	s.all++
	s.by[p]++
	return true
}

// leave gives a place back.
func (s *strangers) leave(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := sourceOf(a)
	s.all--
	if s.by[p]--; s.by[p] == 0 {
		delete(s.by, p)
	}
}

// sourceOf is what one party is likely to have for itself.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 56
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
