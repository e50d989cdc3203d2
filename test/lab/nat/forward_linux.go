package nat

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Publish gives the site's router an address of the Internet, 203.0.113.0/24 being
// nobody's private one, by which it is reached and from which everything of the site
// leaves over IPv4. It is for kinds without a carrier.
func (s *Site) Publish() (netip.Addr, error) {
	outer := s.Router.IP4.As4()
	at := netip.AddrFrom4([4]byte{203, 0, 113, outer[2]})
	alone := netip.PrefixFrom(at, 32)
	return at, errors.Join(s.Router.AddAddr(outside, alone), s.net.Core.Route(alone, s.Router.IP4, 0),
		s.Router.Nft(fmt.Sprintf(`table ip labpublic {
	chain post {
		type nat hook postrouting priority 99
		oifname %q snat to %s
	}
}
`, outside, at)))
}

// Forward has the router pass UDP for ports of an address of its own on to hosts
// behind it, in place of what it passed on before.
func (r *Router) Forward(at netip.Addr, ports map[uint16]netip.AddrPort) error {
	var rules strings.Builder
	for port, to := range ports {
		fmt.Fprintf(&rules, "iifname %q ip daddr %s udp dport %d dnat to %s\n\t\t", outside, at, port, to)
	}
	return r.Nft(fmt.Sprintf(`table ip labforward {}
delete table ip labforward
table ip labforward {
	chain pre {
		type nat hook prerouting priority -101
		%s
	}
}
`, rules.String()))
}

// Pinholes has the router let UDP in for addresses and ports behind it over IPv6, in
// place of what it let in before.
func (r *Router) Pinholes(open []netip.AddrPort) error {
	script := "flush set inet labnat pinholes\n"
	for _, a := range open {
		script += fmt.Sprintf("add element inet labnat pinholes { %s . %d }\n", a.Addr(), a.Port())
	}
	return r.Nft(script)
}
