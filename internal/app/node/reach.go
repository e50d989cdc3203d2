package node

import (
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/routing"
)

// mappedAt are the ports of routers that are borne out by where peers see this node.
func (s *surroundings) mappedAt(seen []netip.Addr) []netip.AddrPort {
	if p := s.ports.Load(); p != nil {
		return p.candidates(seen)
	}
	return nil
}

// near reports whether an address lies in a network that is connected to this host,
// or, if it is private, routed by another route than the default one.
func (s *surroundings) near(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	host := s.host()
	if near(a, host) {
		return true
	}
	if !a.IsPrivate() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hops.Pass()
	return privatelyRouted(a, host, s.hops.To)
}

// privatelyRouted reports whether an address has a route of its own, and not by the
// node's interface: what the overlay leads to is not near.
func privatelyRouted(a netip.Addr, host []routing.HostAddress, to func(netip.Addr) routing.NextHop) bool {
	hop := to(a)
	ours := slices.ContainsFunc(host, func(h routing.HostAddress) bool { return h.Ours && h.Addr == hop.Source })
	if hop.Interface == 0 || !hop.Running || ours {
		return false
	}
	for _, far := range routing.Far() {
		if far.Is4() == a.Is4() {
			other := to(far)
			return hop.Interface != other.Interface || hop.Gateway != other.Gateway
		}
	}
	return false
}
