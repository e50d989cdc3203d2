package ip

import "net/netip"

// A Special prefix is address space that no peer can own, and what it is.
type Special struct {
	Prefix netip.Prefix
	What   string
}

// Specials is all of it (docs/node.md 7.9).
func Specials() []Special {
	return []Special{
		{netip.PrefixFrom(netip.IPv4Unspecified(), 8), "unspecified addresses"},
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8), "loopback addresses"},
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254}), 16), "link-local addresses"},
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4), "multicast addresses"},
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 32), "the broadcast address"},
		{netip.PrefixFrom(netip.IPv6Unspecified(), 128), "the unspecified address"},
		{netip.PrefixFrom(netip.IPv6Loopback(), 128), "the loopback address"},
		{netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0x80}), 10), "link-local addresses"},
		{netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff}), 8), "multicast addresses"},
	}
}
