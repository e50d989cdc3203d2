package tuntest

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Routes are an interface's routes of one protocol, as text and sorted, with the MTU if
// they have one.
func Routes(t testing.TB, index, protocol int) (all []string) {
	t.Helper()
	for _, f := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteListFiltered(f, &netlink.Route{LinkIndex: index, Protocol: netlink.RouteProtocol(protocol)}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_PROTOCOL)
		must(t, err)
		for _, r := range routes {
			text := r.Dst.String()
			if r.MTU != 0 {
				text += fmt.Sprintf(" mtu %d", r.MTU)
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

// LeadsTo is the interface by which the kernel sends to an address; 0 for none.
func LeadsTo(a netip.Addr) int {
	routes, err := netlink.RouteGet(a.AsSlice())
	if err != nil || len(routes) != 1 {
		return 0
	}
	return routes[0].LinkIndex
}

// Other makes another interface that is up, with an address, and returns its index.
func Other(t testing.TB, addr string) int {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "other"}, PeerName: "far"}))
	for _, name := range []string{"far", "other"} {
		l, err := netlink.LinkByName(name)
		must(t, err)
		must(t, netlink.LinkSetUp(l))
	}
	l, err := netlink.LinkByName("other")
	must(t, err)
	a, err := netlink.ParseAddr(addr)
	must(t, err)
	must(t, netlink.AddrAdd(l, a))
	return l.Attrs().Index
}

// AddRoute adds a route to an interface; for 0 one that refuses packets.
func AddRoute(t testing.TB, p netip.Prefix, index int) {
	t.Helper()
	r := &netlink.Route{LinkIndex: index, Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if index == 0 {
		r.Type = unix.RTN_UNREACHABLE
	}
	must(t, netlink.RouteAdd(r))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
