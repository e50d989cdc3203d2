package node

import (
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
)

// own is what peers may send to at this node, and from where none may send: its
// overlay addresses, what it routes on purpose, and the host's other addresses
// (SPEC section 7.2). An address that the config gives to a peer is that peer's.
func (n *node) own(c *config.Config) (all []netip.Prefix) {
	for _, a := range n.addresses(c) {
		all = append(all, netip.PrefixFrom(a.Addr(), a.Addr().BitLen()))
	}
	all = append(all, c.Routes...)
	host, err := routing.HostAddresses()
	if err != nil {
		n.log.Warn("the host's addresses cannot be listed; peers reach the overlay addresses only", "error", err)
	}
	for _, a := range host {
		p := netip.PrefixFrom(a, a.BitLen())
		if !slices.Contains(all, p) && !ownedByPeer(c, p) {
			all = append(all, p)
		}
	}
	return all
}

func ownedByPeer(c *config.Config, p netip.Prefix) bool {
	return slices.ContainsFunc(c.Peers, func(peer config.Peer) bool {
		return slices.Contains(peer.AllowedIPs, p) || p == netip.PrefixFrom(peer.DID.Addr(), 128)
	})
}

// refreshOwn takes up the host's addresses as they are now.
func (n *node) refreshOwn() {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.config.Load()
	if c == nil {
		return // before the first apply
	}
	if err := n.data.SetOwn(n.own(c)); err != nil {
		n.log.Warn("not all of the host's addresses are reachable for peers", "error", err)
	}
}
