package routing

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// Destination returns where an IP packet goes. It reports false unless pkt is
// exactly one IPv4 or IPv6 packet by its header's lengths.
func Destination(pkt []byte) (netip.Addr, bool) {
	p, ok := ip.Read(pkt)
	if !ok {
		return netip.Addr{}, false
	}
	return p.Destination(), true
}

// Source returns where an IP packet says it comes from, under the same rule.
func Source(pkt []byte) (netip.Addr, bool) {
	p, ok := ip.Read(pkt)
	if !ok {
		return netip.Addr{}, false
	}
	return p.Source(), true
}
