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

// virtual is where the addresses lie that stand for circuits (link.Circuit). RFC 6666
// has it discard everything, so no host has one of them.
var virtual = netip.MustParsePrefix("100::/64")

// IsVirtual reports whether an address stands for a circuit. Such an address is never
// on the wire, and nobody but the node itself draws one.
func IsVirtual(a netip.Addr) bool { return virtual.Contains(a) }

// SourceOf is what one party is likely to have for itself: an IPv4 address, a /56, or
// one circuit.
func SourceOf(a netip.Addr) netip.Prefix { return prefixOf(a, 32, 56) }

// BlockOf is what one party can have at little cost: a /24, a /48, or one circuit,
// because both its ends have asked for it.
func BlockOf(a netip.Addr) netip.Prefix { return prefixOf(a, 24, 48) }

func prefixOf(a netip.Addr, bits4, bits6 int) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := bits4
	switch {
	case IsVirtual(a):
		bits = a.BitLen()
	case a.Is6():
		bits = bits6
	}
	p, _ := a.Prefix(bits)
	return p
}
