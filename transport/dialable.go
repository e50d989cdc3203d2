package transport

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// metadata are the addresses at which clouds tell a machine its secrets, or trust
// whoever asks, and the prefixes by which a translator reaches IPv4 ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // the common one
	netip.MustParseAddr("169.254.170.2"),   // AWS containers
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// nat64 is the well-known prefix of RFC 6052: an IPv4 address is its last 4 bytes.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Dialable says whether an address that somebody else has told (an announcement, a
// name server, discovery) may be dialled: nil, or why not. Without this check whoever
// tells addresses would let this node knock at services of its own host and of its
// cloud. SPEC 3.10.
func Dialable(a netip.AddrPort) error {
	ip := embedded(a.Addr())
	switch {
	case ip.IsLoopback():
		return undialable(a, "a loopback address")
	case slices.Contains(metadata, ip.WithZone("")):
		return undialable(a, "a cloud's metadata service")
	}
	return routable(a)
}

// DialableEndpoint is Dialable for HOST:PORT as somebody else announces it. A name
// passes, except those of the host itself; what it resolves to is checked by Resolve.
func DialableEndpoint(endpoint string) error {
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return fmt.Errorf("transport: endpoint %q: %w", endpoint, err)
	}
	if isLocalhost(host) {
		return fmt.Errorf("transport: endpoint %q is this host itself", endpoint)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return Dialable(netip.AddrPortFrom(ip, 1))
	}
	return nil
}

// isLocalhost knows the names that RFC 6761 gives to loopback.
func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// routable is what holds for configured addresses too: a connection needs one host
// at the other end.
func routable(a netip.AddrPort) error {
	ip := embedded(a.Addr())
	switch {
	case !ip.IsValid() || ip.IsUnspecified() || ip.Is4() && ip.As4()[0] == 0:
		return undialable(a, "no host's address")
	case ip.IsMulticast():
		return undialable(a, "a multicast address")
	case netaddr.IsVirtual(ip.WithZone("")):
		return undialable(a, "an address of 100::/64, which no host has")
	case ip.Is4() && ip.As4()[0] >= 240:
		return undialable(a, "a broadcast or reserved address")
	}
	return nil
}

func undialable(a netip.AddrPort, what string) error {
	return fmt.Errorf("%s is %s and is not dialled", a.Addr(), what)
}

// embedded is the IPv4 address in an IPv6 one, if that is what it means.
func embedded(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if nat64.Contains(ip.WithZone("")) {
		b := ip.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip
}
