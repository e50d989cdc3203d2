package invite

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/transport"
)

const (
	// maxScan is how many addresses of a large network are looked at.
	maxScan = 1 << 16
	// maxFound is how many addresses that nobody has named stand in a link.
	maxFound = 4
)

// FreeAddress picks the first address of the node's own IPv4 network that
// neither the node, a peer nor an invitation has; none without such a network.
// Only the node that founded a network knows who has which address of it: one
// whose own address came by an invitation refuses.
func FreeAddress(c *config.Config, promised []Invitation) (netip.Prefix, error) {
	i := slices.IndexFunc(c.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() && p.Bits() <= 30 })
	if i < 0 {
		return netip.Prefix{}, nil
	}
	network := c.Addresses[i].Masked()
	if who, ok := c.Assigner(network); ok {
		return netip.Prefix{}, fmt.Errorf("this node did not found %s; ask %s for an invitation, or give --address", network, who)
	}
	a := network.Addr().Next()
	for range maxScan {
		next := a.Next()
		if !network.Contains(next) {
			break // a is the broadcast address
		}
		if !taken(a, c, promised) {
			return netip.PrefixFrom(a, network.Bits()), nil
		}
		a = next
	}
	return netip.Prefix{}, fmt.Errorf("no address of %s is free%s; give --address, or --no-address for none", network, coveredBy(network, c))
}

// coveredBy names the peer that has the whole network.
func coveredBy(network netip.Prefix, c *config.Config) string {
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			if prefix.Bits() <= network.Bits() && prefix.Overlaps(network) {
				return fmt.Sprintf(": %s belongs to %s", prefix, nameOf(p))
			}
		}
	}
	return ""
}

func nameOf(p config.Peer) string {
	if p.Name == "" {
		return p.DID.String()
	}
	return p.Name
}

func taken(a netip.Addr, c *config.Config, promised []Invitation) bool {
	for _, own := range c.Addresses {
		if own.Addr() == a {
			return true
		}
	}
	for _, p := range c.Peers {
		if slices.ContainsFunc(p.AllowedIPs, func(prefix netip.Prefix) bool { return prefix.Contains(a) }) {
			return true
		}
	}
	return slices.ContainsFunc(promised, func(i Invitation) bool {
		p, err := netip.ParsePrefix(i.Address)
		return err == nil && p.Addr() == a
	})
}

// Endpoints are where a node that listens there may be reached: what peers see of
// it, and the machine's addresses; public ones first, IPv4 before IPv6, at most
// four.
func Endpoints(listen netip.AddrPort, machine []Net, seen []netip.AddrPort) (out []string) {
	all := usableSeen(agreed(seen))
	if a := listen.Addr(); !a.IsUnspecified() {
		all = append(all, listen)
	} else {
		for _, n := range machine {
			if n.Outside {
				all = append(all, netip.AddrPortFrom(n.Prefix.Addr(), listen.Port()))
			}
		}
	}
	all = slices.DeleteFunc(all, func(ap netip.AddrPort) bool {
		a := ap.Addr()
		return !a.IsGlobalUnicast() || overlay.Contains(a) || listen.Addr().Is4() && !a.Is4() || transport.DialableEndpoint(ap.String()) != nil
	})
	slices.SortStableFunc(all, func(a, b netip.AddrPort) int { return rank(a.Addr()) - rank(b.Addr()) })
	for _, ap := range all {
		if text := ap.String(); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out[:min(len(out), maxFound)]
}

// NotOwn are the endpoints that are addresses and none of this machine's: a NAT has
// them.
func NotOwn(endpoints []string, machine []Net) (out []string) {
	for _, e := range endpoints {
		ap, err := netip.ParseAddrPort(e)
		own := slices.ContainsFunc(machine, func(n Net) bool { return n.Prefix.Addr() == ap.Addr() })
		if err == nil && !own {
			out = append(out, e)
		}
	}
	return out
}

// AllPrivate reports whether endpoints mean something on their own network only.
func AllPrivate(endpoints []string) bool {
	return !slices.ContainsFunc(endpoints, func(e string) bool {
		ap, err := netip.ParseAddrPort(e)
		return err != nil || !private(ap.Addr())
	})
}

// agreed drops what one peer alone says, of the addresses of a family, where two or
// more say the same: a peer may tell what it likes.
func agreed(seen []netip.AddrPort) (out []netip.AddrPort) {
	told, most := make(map[netip.AddrPort]int), make(map[bool]int)
	for _, ap := range seen {
		told[ap]++
		most[ap.Addr().Is4()] = max(most[ap.Addr().Is4()], told[ap])
	}
	for _, ap := range seen {
		if told[ap] > 1 || most[ap.Addr().Is4()] == 1 {
			out = append(out, ap)
		}
	}
	return out
}

// usableSeen drops addresses that are seen with several ports: a NAT that gives
// each peer another port (RFC 4787, address-dependent mapping) lets no newcomer in
// by any of them.
func usableSeen(seen []netip.AddrPort) (out []netip.AddrPort) {
	for _, ap := range seen {
		other := slices.ContainsFunc(seen, func(b netip.AddrPort) bool { return b.Addr() == ap.Addr() && b.Port() != ap.Port() })
		if !other {
			out = append(out, ap)
		}
	}
	return out
}

func rank(a netip.Addr) int {
	n := 0
	if private(a) {
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
