package routing

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// Special is the address space that no peer can own.
func Special() (all []netip.Prefix) {
	for _, s := range ip.Specials() {
		all = append(all, s.Prefix)
	}
	return all
}

// IsSpecial reports whether all of a prefix is Special.
func IsSpecial(p netip.Prefix) bool {
	return slices.ContainsFunc(ip.Specials(), func(s ip.Special) bool {
		return s.Prefix.Bits() <= p.Bits() && s.Prefix.Contains(p.Addr())
	})
}

// CheckPrefix refuses, with a sentence and ErrPrefix, what cannot be a peer's
// prefix: everything (exit nodes), host bits, and whatever holds unspecified,
// loopback, link-local, multicast or broadcast addresses, so that halves of
// everything are refused too.
func CheckPrefix(p netip.Prefix) error { return check(p, "go to a peer", "no peer can own") }

// CheckRoute refuses, by the same rules, what cannot be a network behind this node.
func CheckRoute(p netip.Prefix) error { return check(p, "be routed", "cannot be routed") }

func check(p netip.Prefix, used, special string) error {
	if !p.IsValid() {
		return ErrPrefix
	}
	if p.Addr().Is4In6() {
		return fmt.Errorf("%w: %s is IPv4 written as IPv6; write it as IPv4", ErrPrefix, p)
	}
	if p.Bits() == 0 {
		return fmt.Errorf("%w: exit nodes are not supported yet, so %s cannot %s", ErrPrefix, p, used)
	}
	if m := p.Masked(); m != p {
		return fmt.Errorf("%w: %s has host bits set; write %s, or %s for the one address",
			ErrPrefix, p, m, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	for _, s := range ip.Specials() {
		if p.Overlaps(s.Prefix) {
			return fmt.Errorf("%w: %s holds %s (%s), which %s", ErrPrefix, p, s.What, s.Prefix, special)
		}
	}
	return nil
}

// EndpointInside returns the first prefix that holds the endpoint's address:
// packets to it would go through the tunnel that they carry.
func EndpointInside(ep netip.AddrPort, prefixes []netip.Prefix) (netip.Prefix, bool) {
	a := ep.Addr().Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(a) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
