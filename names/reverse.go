package names

import (
	"net/netip"
	"strconv"
	"strings"
)

const (
	zone4 = "in-addr.arpa"
	zone6 = "ip6.arpa"
)

// reversed is the address that a name of a reverse zone stands for (RFC 1035 3.5, RFC
// 3596 2.5), and the zone; false for any other name, and for one of a part of an address.
func reversed(name string) (a netip.Addr, zone string, ok bool) {
	if digits, is := strings.CutSuffix(name, "."+zone4); is {
		a, ok = reversed4(digits)
		return a, zone4, ok
	}
	if digits, is := strings.CutSuffix(name, "."+zone6); is {
		a, ok = reversed6(digits)
		return a, zone6, ok
	}
	return a, "", false
}

func reversed4(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	var b [4]byte
	if len(parts) != len(b) {
		return netip.Addr{}, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return netip.Addr{}, false
		}
		b[len(b)-1-i] = byte(n)
	}
	return netip.AddrFrom4(b), true
}

func reversed6(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	var b [16]byte
	if len(parts) != 2*len(b) {
		return netip.Addr{}, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 16, 4)
		if err != nil || len(part) != 1 {
			return netip.Addr{}, false
		}
		at := len(parts) - 1 - i
		b[at/2] |= byte(n) << (4 * (1 - at%2))
	}
	return netip.AddrFrom16(b), true
}
