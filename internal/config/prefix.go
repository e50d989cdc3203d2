package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// parseAddress reads an address of the interface with its prefix length.
func parseAddress(s string) (netip.Prefix, error) {
	p, err := cidr(s)
	if err != nil {
		return p, err
	}
	a := p.Addr()
	switch {
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Is4In6():
		return p, fmt.Errorf("%s cannot be an interface's address", s)
	case p.Bits() == 0:
		return p, fmt.Errorf("%s would make every address a neighbour; give the network's prefix length", s)
	case a.Is4() && p.Bits() < 31 && p.Masked() == p:
		return p, fmt.Errorf("%s is the network itself; give this node's address in it, such as %s/%d", s, a.Next(), p.Bits())
	}
	return p, nil
}

// parsePrefix reads an allowed prefix.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := cidr(s)
	if err != nil {
		return p, err
	}
	return p, checkPrefix(p)
}

func cidr(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil {
		return p, nil
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return p, fmt.Errorf("%s has no prefix length; write %s/%d for this address alone", s, s, a.BitLen())
	}
	if !strings.Contains(s, "/") {
		return p, fmt.Errorf("%q is not an address with a prefix length, such as 10.0.0.2/32 or fd00::/64", s)
	}
	return p, fmt.Errorf("%q is not an IP prefix, such as 10.0.0.2/32 or fd00::/64", s)
}

// checkPrefix holds a prefix to what can be routed to one peer.
func checkPrefix(p netip.Prefix) error {
	a := p.Addr()
	switch {
	case p.Bits() == 0:
		return fmt.Errorf("%s would send all traffic to this peer, the tunnel's own packets too; name the networks behind it", p)
	case p.Masked() != p:
		return fmt.Errorf("%s has host bits set; write %s for the network or %s/%d for the one address",
			p, p.Masked(), a, a.BitLen())
	case a.Is4In6():
		return fmt.Errorf("%s is an IPv4 prefix in IPv6 form; write it as IPv4", p)
	case a.IsMulticast() || a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast():
		return fmt.Errorf("%s cannot be routed to a peer", p)
	}
	return nil
}

// endpointInside returns the prefix that would route an endpoint into the
// tunnel it carries.
func endpointInside(endpoint string, prefixes []netip.Prefix) (netip.Prefix, bool) {
	ap, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		return netip.Prefix{}, false // a name: looked up later
	}
	for _, p := range prefixes {
		if p.Contains(ap.Addr().Unmap().WithZone("")) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
