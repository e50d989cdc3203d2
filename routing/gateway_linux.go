package routing

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// defaultBits is the longest prefix that stands for the Internet: programs lay halves
// of it over a default route, and 2000::/3.
const defaultBits = 3

// A Gateway is a router to the Internet.
type Gateway struct {
	Router netip.Addr // with the name of the interface as its zone if it is link-local
	Local  netip.Addr // address of this host that packets to the Internet by way of it have
}

// Gateways are the routers of the default routes, at most one of each family: the next
// hops of what the kernel would send to the Internet now, policy routing included. A
// default route by a device without a router, or without a carrier, has none. Two
// lookups, however large the kernel's table is.
func (w *NextHops) Gateways() (all []Gateway) {
	w.Pass()
	for _, far := range Far() {
		hop := w.To(far)
		if !hop.Running || !hop.Gateway.IsValid() || !hop.Source.IsValid() {
			continue
		}
		router := hop.Gateway
		if router.IsLinkLocalUnicast() && router.Is6() {
			l, err := w.handle.LinkByIndex(hop.Interface)
			if err != nil {
				continue
			}
			router = router.WithZone(l.Attrs().Name)
		}
		all = append(all, Gateway{Router: router, Local: hop.Source})
	}
	return all
}

// Far is an address of each family that stands for the Internet in lookups. Nothing is
// sent there.
func Far() []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte{1, 1, 1, 1}), netip.AddrFrom16([16]byte{0x20, 0, 15: 1})}
}

// Near reports whether an address lies in a network that is connected to this host or
// routed by another route than the default one, the interface with an index left out.
func (w *NextHops) Near(a netip.Addr, except int) bool {
	a = a.Unmap()
	found, err := w.handle.RouteGetWithOptions(a.WithZone("").AsSlice(), &netlink.RouteGetOptions{Mark: w.mark, FIBMatch: true})
	if err != nil || len(found) != 1 || found[0].Type != unix.RTN_UNICAST || found[0].LinkIndex == except {
		return false
	}
	network, ok := hostPrefix(found[0].Dst)
	return ok && network.Bits() > defaultBits
}
