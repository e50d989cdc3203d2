// Package netaddr has what carriers share about addresses.
package netaddr

import (
	"net"
	"net/netip"
)

// PortOf turns a UDP or TCP address of the net package into ours: IPv4 unmapped.
// The zero value stands for any other.
func PortOf(a net.Addr) netip.AddrPort {
	u, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := u.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Network is the name of the network, such as "udp4", on which to listen at an
// address. The unspecified IPv6 address is dual stack.
func Network(protocol string, a netip.Addr) string {
	switch {
	case a == netip.IPv6Unspecified():
		return protocol
	case a.Unmap().Is4():
		return protocol + "4"
	}
	return protocol + "6"
}

// SourceOf is what one party is likely to have for itself: an IPv4 address or a /56.
func SourceOf(a netip.Addr) netip.Prefix { return prefixOf(a, 32, 56) }

// BlockOf is what one party can have at little cost: a /24 or a /48.
func BlockOf(a netip.Addr) netip.Prefix { return prefixOf(a, 24, 48) }

func prefixOf(a netip.Addr, bits4, bits6 int) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := bits4
	if a.Is6() {
		bits = bits6
	}
	p, _ := a.Prefix(bits)
	return p
}
