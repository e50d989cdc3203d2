package routing

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/tuntest"
)

// The routers are those of the way that the node's own packets take: of each family one,
// by the best route, with the address that packets by that way have; policy routing by
// the mark counts, and what has no router has none.
func TestGatewaysAreThoseOfTheDefaultRoutes(t *testing.T) {
	tuntest.Namespace(t)
	l := cable(t, "eth", "192.0.2.2/24")
	giveAddress(t, l, "2001:db8::2/64")
	other := cable(t, "wlan", "198.51.100.2/24")
	plain, marked := hopsFor(t, 0), hopsFor(t, 0x6c)
	want := func(what string, w *NextHops, all ...Gateway) {
		t.Helper()
		if got := w.Gateways(); !slices.Equal(got, all) {
			t.Errorf("%s: %v, want %v", what, got, all)
		}
	}
	eth := Gateway{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	wlan := Gateway{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}
	six := Gateway{netip.MustParseAddr("fe80::1%eth"), netip.MustParseAddr("2001:db8::2")}

	want("no default route", plain)
	route(t, other, "0.0.0.0/0", "198.51.100.1", 600, 0)
	want("one", plain, wlan)
	route(t, l, "0.0.0.0/0", "192.0.2.1", 100, 0)
	route(t, l, "::/0", "fe80::1", 1024, 0)
	want("both families, the better route", plain, eth, six)
	want("the same with a mark", marked, eth, six)

	rule := netlink.NewRule()
	rule.Mark, rule.Table, rule.Family = 0x6c, 77, netlink.FAMILY_V4
	must(t, netlink.RuleAdd(rule))
	route(t, other, "0.0.0.0/0", "198.51.100.1", 0, 77)
	want("a table for the mark", marked, wlan, six)
	want("others are not in it", plain, eth, six)

	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: network(t, "0.0.0.0/1"), Scope: netlink.SCOPE_LINK}))
	want("a route without a router", plain, six)
	must(t, netlink.LinkSetDown(l))
	want("the device is down", plain, wlan)
}

// An address is near in a connected network and behind a route of its own, and not by a
// default route or a half of one, nor by the interface that is left out.
func TestNearAddresses(t *testing.T) {
	tuntest.Namespace(t)
	l := cable(t, "eth", "192.168.1.2/24")
	giveAddress(t, l, "2001:db8::2/64")
	tunnel := cable(t, "l2t", "10.9.0.1/24")
	route(t, l, "0.0.0.0/0", "192.168.1.1", 100, 0)
	route(t, l, "128.0.0.0/1", "192.168.1.1", 0, 0)
	route(t, l, "::/0", "fe80::1", 1024, 0)
	route(t, l, "10.20.0.0/16", "192.168.1.1", 0, 0)
	must(t, netlink.RouteAdd(&netlink.Route{Dst: network(t, "10.30.0.0/16"), Type: unix.RTN_UNREACHABLE}))
	w := hopsFor(t, 0x6c)
	for text, want := range map[string]bool{"192.168.1.9": true, "::ffff:192.168.1.9": true, "10.20.3.4": true, "10.21.0.1": false, "192.168.2.1": false,
		"10.30.0.1": false, "10.9.0.7": false, "8.8.8.8": false, "2001:db8::7": true, "2001:db8:1::7": false, "192.168.1.2": false, "fe80::7": false} {
		if got := w.Near(netip.MustParseAddr(text), tunnel.Attrs().Index); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func hopsFor(t *testing.T, mark uint32) *NextHops {
	t.Helper()
	w, err := NewNextHops(mark)
	must(t, err)
	t.Cleanup(w.Close)
	return w
}

func giveAddress(t *testing.T, l netlink.Link, text string) {
	t.Helper()
	a, err := netlink.ParseAddr(text)
	must(t, err)
	must(t, netlink.AddrAdd(l, a))
	tuntest.AwaitAddress(t, netip.MustParsePrefix(text).Addr())
}

func network(t *testing.T, text string) *net.IPNet {
	t.Helper()
	_, n, err := net.ParseCIDR(text)
	must(t, err)
	return n
}

func route(t *testing.T, l netlink.Link, dst, gateway string, metric, table int) {
	t.Helper()
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: network(t, dst), Gw: net.ParseIP(gateway), Priority: metric, Table: table, Flags: int(netlink.FLAG_ONLINK)}))
}
