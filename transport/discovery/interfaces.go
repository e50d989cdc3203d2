package discovery

import (
	"net"
	"net/netip"
	"slices"
)

// maxSegments bounds the addresses from which one method asks.
const maxSegments = 32

// An Interface is one on which peers are looked for, with its addresses.
type Interface struct {
	Index int
	Addrs []netip.Prefix // host part and length
}

// Usable reports whether an interface leads to a LAN: up, able to broadcast and
// multicast, neither loopback nor point-to-point.
func Usable(f net.Flags) bool {
	const need, without = net.FlagUp | net.FlagBroadcast | net.FlagMulticast, net.FlagLoopback | net.FlagPointToPoint
	return f&(need|without) == need
}

// A segment is one of our addresses on one interface: questions leave from it,
// and what comes in there must be from its neighbours.
type segment struct {
	index  int
	source netip.Addr
	near   netip.Prefix
}

// segments6 has the first link-local address of each interface.
func segments6(all []Interface) (out []segment) {
	near := netip.MustParsePrefix("fe80::/10")
	for _, i := range all {
		at := slices.IndexFunc(i.Addrs, func(p netip.Prefix) bool { return near.Contains(p.Addr()) })
		if at >= 0 && len(out) < maxSegments {
			out = append(out, segment{i.Index, i.Addrs[at].Addr(), near})
		}
	}
	return out
}

// segments4 has one address of each IPv4 network that has neighbours.
func segments4(all []Interface) (out []segment) {
	for _, i := range all {
		for _, p := range i.Addrs {
			s := segment{i.Index, p.Addr(), p.Masked()}
			there := slices.ContainsFunc(out, func(o segment) bool { return o.index == s.index && o.near == s.near })
			if p.Addr().Is4() && p.Bits() < 31 && !there && len(out) < maxSegments {
				out = append(out, s)
			}
		}
	}
	return out
}
