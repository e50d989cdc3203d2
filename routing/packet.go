package routing

import (
	"encoding/binary"
	"net/netip"
)

const (
	header4 = 20 // bytes of an IPv4 header without options
	header6 = 40
)

// Destination returns where an IP packet goes. It reports false unless pkt is
// exactly one IPv4 or IPv6 packet by its header's lengths.
func Destination(pkt []byte) (netip.Addr, bool) {
	switch version(pkt) {
	case 4:
		return netip.AddrFrom4([4]byte(pkt[16:20])), true
	case 6:
		return netip.AddrFrom16([16]byte(pkt[24:40])), true
	}
	return netip.Addr{}, false
}

// Source returns where an IP packet says it comes from, under the same rule.
func Source(pkt []byte) (netip.Addr, bool) {
	switch version(pkt) {
	case 4:
		return netip.AddrFrom4([4]byte(pkt[12:16])), true
	case 6:
		return netip.AddrFrom16([16]byte(pkt[8:24])), true
	}
	return netip.Addr{}, false
}

// version is 4 or 6 for a packet whose lengths are right, else 0. Jumbograms
// (payload length 0) are not right.
func version(pkt []byte) int {
	switch {
	case len(pkt) >= header4 && pkt[0]>>4 == 4:
		header := int(pkt[0]&15) * 4
		total := int(binary.BigEndian.Uint16(pkt[2:]))
		if header >= header4 && header <= total && total == len(pkt) {
			return 4
		}
	case len(pkt) >= header6 && pkt[0]>>4 == 6:
		if header6+int(binary.BigEndian.Uint16(pkt[4:])) == len(pkt) {
			return 6
		}
	}
	return 0
}
