package udp

import (
	"net/netip"
	"testing"
)

func TestAddressesThatGetNoOpener(t *testing.T) {
	wild, bound := netip.IPv6Unspecified(), netip.MustParseAddr("127.0.0.1")
	for to, want := range map[string]bool{
		"192.0.2.1:1024": true, "192.168.1.5:4242": true, "[2001:db8::1]:4242": true, "[fd00::1]:4242": true, "[fe80::1%1]:4242": true,
		"192.0.2.1:1023": false, "192.0.2.1:53": false, "192.0.2.1:0": false, "[2001:db8::1]:443": false,
		"127.0.0.1:4242": false, "[::1]:4242": false, "0.0.0.0:4242": false, "0.1.2.3:4242": false, "[::]:4242": false,
		"224.0.0.1:4242": false, "239.255.255.250:4242": false, "[ff02::1%1]:4242": false, "255.255.255.255:4242": false, "240.0.0.1:4242": false,
		"[100::1]:4242": false, "[100::ffff:ffff:ffff:ffff]:4242": false, "[100:0:0:1::1]:4242": true,
	} {
		if got := mayOpen(netip.MustParseAddrPort(to), wild); got != want {
			t.Errorf("%s: %v", to, got)
		}
	}
	if mayOpen(netip.AddrPort{}, wild) {
		t.Error("no address")
	}
	if !mayOpen(netip.MustParseAddrPort("127.0.0.1:4242"), bound) || mayOpen(netip.MustParseAddrPort("127.0.0.1:80"), bound) {
		t.Error("a socket on loopback")
	}
}
