package invite

import (
	"net"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/internal/config"
)

const (
	// maxScan is how many addresses of a large network are looked at.
	maxScan = 1 << 16
	// maxFound is how many of this machine's addresses stand in a link.
	maxFound = 4
)

// overlay holds the addresses that DIDs give: none is an endpoint.
var overlay = netip.MustParsePrefix("fd4c:3254::/32")

// FreeAddress picks the first address of the node's own IPv4 network that
// neither the node, a peer nor an invitation has. False without such a network,
// or when it is full.
func FreeAddress(c *config.Config, promised []Invitation) (netip.Prefix, bool) {
	i := slices.IndexFunc(c.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() && p.Bits() <= 30 })
	if i < 0 {
		return netip.Prefix{}, false
	}
	network := c.Addresses[i].Masked()
	a := network.Addr().Next()
	for range maxScan {
		next := a.Next()
		if !network.Contains(next) {
			break // a is the broadcast address
		}
		if !taken(a, network, c, promised) {
			return netip.PrefixFrom(a, network.Bits()), true
		}
		a = next
	}
	return netip.Prefix{}, false
}

func taken(a netip.Addr, network netip.Prefix, c *config.Config, promised []Invitation) bool {
	for _, own := range c.Addresses {
		if own.Addr() == a {
			return true
		}
	}
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			if prefix.Bits() > network.Bits() && prefix.Contains(a) {
				return true
			}
		}
	}
	return slices.ContainsFunc(promised, func(i Invitation) bool {
		p, err := netip.ParsePrefix(i.Address)
		return err == nil && p.Addr() == a
	})
}

// Endpoints are where a node that listens there may be reached, as far as this
// machine knows: public addresses first, IPv4 before IPv6, at most four.
func Endpoints(listen netip.AddrPort, tunnel string) []string {
	if !listen.Addr().IsUnspecified() {
		return []string{listen.String()}
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, l := range links {
		if l.Name == tunnel || l.Flags&net.FlagUp == 0 || l.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, _ := l.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					all = append(all, ip.Unmap())
				}
			}
		}
	}
	return endpoints(all, listen)
}

func endpoints(all []netip.Addr, listen netip.AddrPort) (out []string) {
	usable := slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool {
		return !a.IsGlobalUnicast() || overlay.Contains(a) || listen.Addr().Is4() && !a.Is4()
	})
	slices.SortStableFunc(usable, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	for _, a := range slices.Compact(usable) {
		out = append(out, netip.AddrPortFrom(a, listen.Port()).String())
	}
	return out[:min(len(out), maxFound)]
}

func rank(a netip.Addr) int {
	n := 0
	if a.IsPrivate() {
		n += 2
	}
	if a.Is6() {
		n++
	}
	return n
}

// Allowed is what the inviting node owns inside, for the joining node's config.
func Allowed(c *config.Config) (out []netip.Prefix) {
	for _, p := range c.Addresses {
		out = append(out, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	return out
}
