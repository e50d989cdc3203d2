package node

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
)

// covers are the networks of which one kernel route leads to all peers: those that the
// interface's addresses lie in, and that of all overlay addresses. A peer's address in
// one of them has a route of its own only if that has another MTU, or if the kernel
// would send elsewhere. docs/node.md 7.10. The applier owns it, with its mu held.
type covers struct {
	networks []netip.Prefix        // whose route is in use
	exposed  map[netip.Prefix]bool // of their addresses those that the kernel would send elsewhere
}

// of is the network whose route covers a prefix: the longest one, as the kernel has it.
func (v *covers) of(p netip.Prefix) (network netip.Prefix, covered bool) {
	if !p.IsSingleIP() || v.exposed[p] {
		return network, false
	}
	for _, n := range v.networks {
		if n.Contains(p.Addr()) && (!covered || n.Bits() > network.Bits()) {
			network, covered = n, true
		}
	}
	return network, covered
}

// coverable are the networks of a config.
func coverable(c *config.Config) []netip.Prefix {
	all := []netip.Prefix{did.OverlayPrefix()}
	for _, p := range c.Addresses {
		if n := p.Masked(); !n.IsSingleIP() && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// unknown ranges over the covered addresses of a config that one before it had not.
func (v *covers) unknown(old, c *config.Config) iter.Seq[netip.Prefix] {
	known := make(map[netip.Prefix]bool)
	for p := range prefixesOf(old) {
		known[p] = true
	}
	return func(yield func(netip.Prefix) bool) {
		for p := range prefixesOf(c) {
			if _, covered := v.of(p); covered && !known[p] && !yield(p) {
				return
			}
		}
	}
}
