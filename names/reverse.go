package names

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	zone4 = "in-addr.arpa"
	zone6 = "ip6.arpa"
)

// maxZones is how many zones one prefix may need; one that needs more has none.
const maxZones = 32

// Zones are the domain and the reverse zones of prefixes, without those that a shorter
// one of them holds.
func Zones(prefixes []netip.Prefix) (all []string) {
	sorted := slices.Clone(prefixes)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		return cmp.Or(a.Masked().Addr().Compare(b.Masked().Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	there := make(map[string]bool)
	var last netip.Prefix // that has zones; what it contains follows it: thousands of peers in one network
	for _, p := range sorted {
		if last.IsValid() && last.Bits() <= p.Bits() && last.Contains(p.Addr()) {
			continue
		}
		for i, z := range zonesOf(p) {
			if there[z] = true; i == 0 {
				last = p
			}
		}
	}
	zones := []string{Domain}
	for _, z := range slices.Sorted(maps.Keys(there)) {
		if !held(z, there) {
			zones = append(zones, z)
		}
	}
	return zones
}

// held reports whether a zone lies in another one.
func held(zone string, others map[string]bool) bool {
	for _, rest, is := strings.Cut(zone, "."); is; _, rest, is = strings.Cut(rest, ".") {
		if others[rest] {
			return true
		}
	}
	return false
}

// zonesOf are the zones of a prefix. One that ends inside of a label of reverse names is
// that of several labels.
func zonesOf(p netip.Prefix) (all []string) {
	bits, base, zone := 8, 10, zone4
	if p.Addr().Is6() {
		bits, base, zone = 4, 16, zone6
	}
	labels := (p.Bits() + bits - 1) / bits
	several := 1 << (labels*bits - p.Bits())
	if labels == 0 || several > maxZones {
		return nil
	}
	address := p.Masked().Addr().AsSlice()
	digit := func(i int) int { // the label of number i, the most significant is the first
		if bits == 8 {
			return int(address[i])
		}
		return int(address[i/2]>>(4*(1-i%2))) & 15
	}
	for n := range several {
		name := zone
		for i := range labels {
			d := digit(i)
			if i == labels-1 {
				d += n
			}
			name = strconv.FormatInt(int64(d), base) + "." + name
		}
		all = append(all, name)
	}
	return all
}

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
