package routing

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// standing looks for other routes to the prefix: nil or one of our interface is
// fine, one of another interface is ErrTaken.
func (k *Kernel) standing(prefix netip.Prefix) (*netlink.Route, error) {
	filter := &netlink.Route{Dst: ipNet(prefix), Table: unix.RT_TABLE_MAIN}
	found, err := k.list(family(prefix), filter, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("routing: list routes: %w", err)
	}
	var own *netlink.Route
	for i := range found {
		r := &found[i]
		if r.LinkIndex != k.ifindex {
			return nil, fmt.Errorf("%w: %s goes through %s", ErrTaken, prefix, k.owner(r))
		}
		if r.Protocol != Protocol {
			own = r
		}
	}
	return own, nil
}

// owner names the device of somebody else's route.
func (k *Kernel) owner(r *netlink.Route) string {
	index := r.LinkIndex
	if index == 0 && len(r.MultiPath) > 0 {
		index = r.MultiPath[0].LinkIndex
	}
	if link, err := k.handle.LinkByIndex(index); err == nil && index != 0 {
		return link.Attrs().Name
	}
	return "a route without a device"
}

// list repeats a listing that a change of the table interrupted; the last one
// counts as it is.
func (k *Kernel) list(family int, filter *netlink.Route, mask uint64) ([]netlink.Route, error) {
	for try := 1; ; try++ {
		found, err := k.handle.RouteListFiltered(family, filter, mask)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return found, err
		}
		if try == 3 {
			return found, nil
		}
	}
}

func (k *Kernel) route(prefix netip.Prefix, mtu int) *netlink.Route {
	r := &netlink.Route{
		LinkIndex: k.ifindex,
		Dst:       ipNet(prefix),
		Protocol:  Protocol,
		Table:     unix.RT_TABLE_MAIN,
		MTU:       mtu,
	}
	if prefix.Addr().Is4() {
		r.Scope = unix.RT_SCOPE_LINK
	}
	return r
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func family(p netip.Prefix) int {
	if p.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// absent tells that there is nothing left to remove: the route, or the device
// with all its routes, or the device is down.
func absent(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENETDOWN)
}

func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENETDOWN):
		return fmt.Errorf("%w (set the device up first)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (changing routes needs CAP_NET_ADMIN: run as root)", err)
	}
	return err
}
