package invite

import "net/netip"

// A Net is an address of this machine with the network that it lies in.
type Net struct {
	Interface string
	Prefix    netip.Prefix // with host part
	Outside   bool         // other hosts may reach it: neither a tunnel's nor a bridge's that only containers share
}

// overlay holds the addresses that DIDs give: none is an endpoint.
var overlay = netip.MustParsePrefix("fd4c:3254::/32")

// cgnat is what providers use behind their NAT (RFC 6598).
var cgnat = netip.MustParsePrefix("100.64.0.0/10")

// private reports whether an address means something on its own network only.
func private(a netip.Addr) bool { return a.IsPrivate() || cgnat.Contains(a) }
