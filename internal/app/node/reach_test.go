package node

import (
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/routing"
)

// What is private is near if it has a route of its own; not what only the default
// route leads to, the overlay, a cable that is out, or nothing at all.
func TestWhatIsRoutedPrivately(t *testing.T) {
	host := append(hostAt("192.168.1.2/24"), routing.HostAddress{Addr: netip.MustParseAddr("10.9.0.1"), Network: netip.MustParsePrefix("10.9.0.0/24"), Ours: true, Up: true})
	router, inner, here := netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.9"), netip.MustParseAddr("192.168.1.2")
	to := func(a netip.Addr) routing.NextHop {
		switch {
		case netip.MustParsePrefix("10.7.0.0/16").Contains(a):
			return routing.NextHop{Interface: 2, Running: true, Gateway: inner, Source: here}
		case netip.MustParsePrefix("10.9.0.0/16").Contains(a):
			return routing.NextHop{Interface: 9, Running: true, Source: netip.MustParseAddr("10.9.0.1")}
		case netip.MustParsePrefix("10.6.0.0/16").Contains(a):
			return routing.NextHop{Interface: 5, Gateway: inner}
		case a.Is6():
			return routing.NextHop{}
		}
		return routing.NextHop{Interface: 2, Running: true, Gateway: router, Source: here}
	}
	for text, want := range map[string]bool{"10.7.3.4": true, "192.168.9.1": false, "10.9.3.4": false, "10.6.1.1": false, "fd00::1": false, "10.99.0.1": false} {
		if got := privatelyRouted(netip.MustParseAddr(text), host, to); got != want {
			t.Errorf("%s is near: %v, want %v", text, got, want)
		}
	}
	if !near(netip.MustParseAddr("::ffff:192.168.1.7"), host) || near(netip.MustParseAddr("10.9.0.4"), host) {
		t.Error("a connected network is not near, or the overlay is")
	}
}
