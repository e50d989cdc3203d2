package node

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/routing"
)

// surroundings are where this host is: its own addresses, and the routers that lead
// away from it. Safe for concurrent use.
type surroundings struct {
	listen netip.AddrPort
	host   func() []routing.HostAddress

	ports atomic.Pointer[portMapping] // nil until routers can be asked

	mu   sync.Mutex
	hops *routing.NextHops
}

// gateways are the routers of the default routes.
func (s *surroundings) gateways() []routing.Gateway {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hops.Gateways()
}

// own is where this host may be reached without a translator before it, the best first.
func (s *surroundings) own() []netip.AddrPort {
	return ownPlaces(s.listen, s.host(), s.gateways())
}

// ownPlaces are those of a host's addresses at which a socket listens: first the ones
// that packets to the Internet have, then public ones, then others. Of a network with
// temporary addresses the stable one is left out, which they are there to hide, unless
// the socket listens at that one alone. Private addresses of tunnels are other overlays'.
func ownPlaces(listen netip.AddrPort, host []routing.HostAddress, gateways []routing.Gateway) (all []netip.AddrPort) {
	hidden := make(map[netip.Prefix]bool)
	for _, h := range host {
		hidden[h.Network] = hidden[h.Network] || h.Temporary && usable(h)
	}
	rank := make(map[netip.Addr]int)
	for _, h := range host {
		alone := listen.Addr().Unmap() == h.Addr
		switch {
		case !usable(h) || !serves(listen.Addr(), h.Addr) || h.PointToPoint && h.Addr.IsPrivate():
			continue
		case !h.Temporary && hidden[h.Network] && !alone:
			continue
		case slices.ContainsFunc(gateways, func(g routing.Gateway) bool { return g.Local == h.Addr }):
			rank[h.Addr] = 0
		case !h.Addr.IsPrivate():
			rank[h.Addr] = 1
		default:
			rank[h.Addr] = 2
		}
		all = append(all, netip.AddrPortFrom(h.Addr, listen.Port()))
	}
	slices.SortFunc(all, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(rank[a.Addr()], rank[b.Addr()]), a.Compare(b))
	})
	return slices.Compact(all)
}

func usable(h routing.HostAddress) bool {
	return h.Up && h.Usable && !h.Ours && !h.Addr.IsLinkLocalUnicast() && !h.Addr.IsLoopback()
}
