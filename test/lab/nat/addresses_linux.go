package nat

import (
	"fmt"
	"net/netip"

	"github.com/libertaria-project/l2tun/test/lab"
)

// carrierNet is what carriers number their customers from (RFC 6598).
const carrierNet = "100.64.0.0/10"

// The addresses of link n, of 1 to 250. Those of the Internet are from ranges
// for documentation and benchmarks, so they are not private to anybody; the
// homes behind a NAT all have the same network, as real ones do.

// wan are the addresses of a router (A) and the core (B).
func wan(n int) lab.Addresses {
	return lab.Addresses{A4: prefix("198.18.%d.2/24", n), A6: prefix("2001:db8:%x::2/64", n),
		B4: prefix("198.18.%d.1/24", n), B6: prefix("2001:db8:%x::1/64", n)}
}

// customer are the addresses of a home's router (A) and its carrier (B).
func customer(n int) lab.Addresses {
	at := wan(n)
	at.A4, at.B4 = prefix("100.64.%d.2/24", n), prefix("100.64.%d.1/24", n)
	return at
}

// lan are the addresses of a home's host (A) and its router (B).
func lan(n int, private bool) lab.Addresses {
	at := lab.Addresses{A4: prefix("198.19.%d.2/24", n), A6: prefix("2001:db8:1%03x::2/64", n),
		B4: prefix("198.19.%d.1/24", n), B6: prefix("2001:db8:1%03x::1/64", n)}
	if private {
		at.A4, at.B4 = prefix("192.168.1.%d/24", n+1), netip.MustParsePrefix("192.168.1.1/24")
	}
	return at
}

func prefix(format string, n int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf(format, n))
}

// without6 takes the IPv6 addresses away.
func without6(at lab.Addresses) lab.Addresses {
	at.A6, at.B6 = netip.Prefix{}, netip.Prefix{}
	return at
}
