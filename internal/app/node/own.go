package node

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
)

// own is what peers may send to at this node, and from where none may send: its
// overlay addresses, what it routes on purpose, and the host's other addresses
// (SPEC section 7.2). An address that the config gives to a peer is that peer's.
func (n *node) own(c *config.Config, host []routing.HostAddress) (all []netip.Prefix) {
	taken := make(map[netip.Prefix]bool) // a map: both may be thousands
	for _, peer := range c.Peers {
		taken[netip.PrefixFrom(peer.DID.Addr(), 128)] = true
		for _, p := range peer.AllowedIPs {
			taken[p] = true
		}
	}
	for _, a := range n.addresses(c) {
		all = append(all, netip.PrefixFrom(a.Addr(), a.Addr().BitLen()))
	}
	all = append(all, c.Routes...)
	for _, p := range all {
		taken[p] = true
	}
	for _, a := range host {
		p := netip.PrefixFrom(a.Addr, a.Addr.BitLen())
		if !taken[p] && !routing.IsSpecial(p) {
			taken[p] = true
			all = append(all, p)
		}
	}
	return all
}
