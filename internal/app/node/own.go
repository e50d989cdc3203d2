package node

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
)

// own is what peers may send to at this node, and from where none may send: its
// overlay addresses, what it routes on purpose, and the host's other addresses
// (SPEC section 7.2). An address that the config gives to a peer is that peer's.
func (a *applier) own(c *config.Config, host []routing.HostAddress) (all []netip.Prefix) {
	taken := make(map[netip.Prefix]bool) // a map: both may be thousands
	for _, peer := range c.Peers {
		taken[netip.PrefixFrom(peer.DID.Addr(), 128)] = true
		for _, p := range peer.AllowedIPs {
			taken[p] = true
		}
	}
	for _, p := range a.addresses(c) {
		all = append(all, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	all = append(all, c.Routes...)
	for _, p := range all {
		taken[p] = true
	}
	for _, h := range host {
		p := netip.PrefixFrom(h.Addr, h.Addr.BitLen())
		if !taken[p] && !routing.IsSpecial(p) {
			taken[p] = true
			all = append(all, p)
		}
	}
	return all
}

// refreshHost applies the host's addresses and networks as they are now.
func (a *applier) refreshHost() {
	a.mu.Lock() // apply sets them too: what was read first is set first
	defer a.mu.Unlock()
	c := a.config.Load()
	if c == nil {
		return // before the first apply
	}
	host := a.host.Addresses()
	if err := a.data.Owners().SetOwn(a.own(c, host)); err != nil {
		a.log.Warn("peers cannot reach all addresses of this host", "error", err)
	}
	a.data.Owners().SetBeside(besides(host))
}

// besides are the networks that the host is on, where the kernel sends before it
// comes to a peer's shorter route. The host's addresses are own's.
func besides(host []routing.HostAddress) (out []netip.Prefix) {
	for _, h := range host {
		if !h.Ours && h.Up && !h.Network.IsSingleIP() {
			out = append(out, h.Network)
		}
	}
	return out
}
