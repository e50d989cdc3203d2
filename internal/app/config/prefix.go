package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/libertaria-project/l2tun/routing"
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

// checkPrefix asks routing, which decides what a peer may own.
func checkPrefix(p netip.Prefix) error { return said(routing.CheckPrefix(p)) }

// said is routing's sentence without its package.
func said(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), routing.ErrPrefix.Error()+": "))
}

// endpointInside returns the prefix that would route an endpoint into the
// tunnel it carries. A host name is looked up later and checked then.
func endpointInside(endpoint string, prefixes []netip.Prefix) (netip.Prefix, bool) {
	ap, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		return netip.Prefix{}, false
	}
	return routing.EndpointInside(ap, prefixes)
}
