package config

import (
	"math"
	"net/netip"
	"slices"
)

// maxPublic is how much of the public addresses of a family one peer may own: a
// quarter, which for IPv4 is a /2. More is an exit node in pieces.
const maxPublic = 0.25

// notPublic are the IPv4 addresses that no host of the Internet has (RFC 6890),
// besides those that routing.CheckPrefix refuses.
func notPublic() []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), 8),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16}), 12),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168}), 16),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18}), 15),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{240}), 4),
	}
}

// public6 is what IANA has given to IPv6 hosts of the Internet.
func public6() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20}), 3) }

// nat64 stands for all IPv4 addresses where a translator runs (RFC 6052).
func nat64() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b}), 96)
}

// IsPublic reports whether a prefix holds an address that a host of the Internet
// may have.
func IsPublic(p netip.Prefix) bool {
	v4, v6 := publicShare([]netip.Prefix{p})
	return v4 > 0 || v6 > 0
}

func tooPublic(prefixes []netip.Prefix) bool {
	v4, v6 := publicShare(prefixes)
	return v4 > maxPublic || v6 > maxPublic
}

// publicShare is how much of the public addresses of each family the prefixes
// hold together, of 1. IPv4 counts as a share of all 2^32 addresses.
func publicShare(prefixes []netip.Prefix) (v4, v6 float64) {
	var all []netip.Prefix
	for _, p := range prefixes {
		all = append(all, throughNAT64(p))
	}
	for _, p := range union(all) {
		if !p.Addr().Is4() {
			v6 += overlap(p, public6()) / share(public6())
			continue
		}
		v4 += share(p)
		for _, r := range notPublic() {
			v4 -= overlap(p, r)
		}
	}
	return v4, v6
}

// throughNAT64 is the IPv4 prefix that one of NAT64 leads to; others stay.
func throughNAT64(p netip.Prefix) netip.Prefix {
	if !p.Overlaps(nat64()) {
		return p
	}
	a := p.Addr().As16()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(a[12:])), max(p.Bits()-nat64().Bits(), 0)).Masked()
}

// union is the prefixes without those that others hold.
func union(prefixes []netip.Prefix) (out []netip.Prefix) {
	all := slices.Clone(prefixes)
	slices.SortFunc(all, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	for _, p := range all {
		if !slices.ContainsFunc(out, p.Overlaps) {
			out = append(out, p)
		}
	}
	return out
}

// overlap is how much of all addresses lies in both prefixes, of 1: of two that
// overlap one holds the other.
func overlap(a, b netip.Prefix) float64 {
	if !a.Overlaps(b) {
		return 0
	}
	return min(share(a), share(b))
}

func share(p netip.Prefix) float64 { return math.Ldexp(1, -p.Bits()) }
