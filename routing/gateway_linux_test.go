package routing

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

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
