package discovery

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

func iface(index int, addrs ...string) Interface {
	i := Interface{Index: index}
	for _, a := range addrs {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(a))
	}
	return i
}

func TestSegments(t *testing.T) {
	all := []Interface{
		iface(2, "192.0.2.1/24", "192.0.2.2/24", "198.51.100.1/24", "2001:db8::1/64", "fe80::1/64", "fe80::2/64"),
		iface(3, "192.0.2.9/24", "203.0.113.1/31", "203.0.113.9/32", "169.254.3.3/16"),
		iface(4),
	}
	near := netip.MustParsePrefix("fe80::/10")
	if got, want := segments6(all), []segment{{2, at("fe80::1"), near}}; !slices.Equal(got, want) {
		t.Errorf("IPv6: %v", got)
	}
	want := []segment{
		{2, at("192.0.2.1"), netip.MustParsePrefix("192.0.2.0/24")},
		{2, at("198.51.100.1"), netip.MustParsePrefix("198.51.100.0/24")},
		{3, at("192.0.2.9"), netip.MustParsePrefix("192.0.2.0/24")},
		{3, at("169.254.3.3"), netip.MustParsePrefix("169.254.0.0/16")},
	}
	if got := segments4(all); !slices.Equal(got, want) {
		t.Errorf("IPv4: %v", got)
	}
	var many []Interface
	for i := range 100 {
		many = append(many, iface(i+1, "192.0.2.1/24", "fe80::1/64"))
	}
	if len(segments4(many)) != maxSegments || len(segments6(many)) != maxSegments {
		t.Error("no bound on segments")
	}
}

func TestUsableInterfaces(t *testing.T) {
	lan := net.FlagUp | net.FlagBroadcast | net.FlagMulticast
	for f, want := range map[net.Flags]bool{
		lan:                               true,
		lan | net.FlagRunning:             true,
		lan &^ net.FlagUp:                 false,
		lan &^ net.FlagMulticast:          false,
		lan &^ net.FlagBroadcast:          false,
		lan | net.FlagPointToPoint:        false,
		net.FlagUp | net.FlagLoopback:     false,
		lan | net.FlagLoopback:            false,
		net.FlagUp | net.FlagMulticast:    false,
		net.FlagUp | net.FlagPointToPoint: false,
	} {
		if Usable(f) != want {
			t.Errorf("%v: %v", f, !want)
		}
	}
}

// interfaces are those of the calling thread's namespace.
func interfaces() (out []Interface, err error) {
	all, err := net.Interfaces()
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil || !Usable(i.Flags) {
			continue
		}
		x := Interface{Index: i.Index}
		for _, a := range addrs {
			x.Addrs = append(x.Addrs, netip.MustParsePrefix(a.String()))
		}
		out = append(out, x)
	}
	return out, err
}
