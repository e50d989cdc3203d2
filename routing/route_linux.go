package routing

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// standing lists what the main table has for the prefixes of routes.
func (k *Kernel) standing(routes []Route) (map[netip.Prefix][]netlink.Route, error) {
	there := make(map[netip.Prefix][]netlink.Route)
	families := make(map[int]bool)
	for _, r := range routes {
		there[r.Prefix] = nil
		families[family(r.Prefix)] = true
	}
	for f := range families {
		found, err := k.list(f)
		if err != nil {
			return nil, fmt.Errorf("routing: list routes: %w", err)
		}
		for _, r := range found {
			p := prefixOf(r.Dst)
			if _, asked := there[p]; asked {
				there[p] = append(there[p], r)
			}
		}
	}
	return there, nil
}

// worstMetric is that of our routes, at most: the kernel's default for IPv6.
const worstMetric = 1024

// before returns the route that ours will stand for, nil if there is none. A
// route of another interface is ErrTaken. One that refuses packets, with a worse
// metric than ours, waits for the time when ours is gone.
func (k *Kernel) before(prefix netip.Prefix, there []netlink.Route) (*netlink.Route, error) {
	before := k.put[prefix].before
	for i := range there {
		r := &there[i]
		if refuses(r) && r.Priority > worstMetric {
			continue
		}
		if r.LinkIndex != k.ifindex {
			return nil, fmt.Errorf("%w: %s goes through %s", ErrTaken, prefix, k.owner(r))
		}
		if r.Protocol != Protocol {
			before = r
		}
	}
	return before, nil
}

func refuses(r *netlink.Route) bool {
	return r.Type == unix.RTN_UNREACHABLE || r.Type == unix.RTN_BLACKHOLE || r.Type == unix.RTN_PROHIBIT
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
func (k *Kernel) list(family int) ([]netlink.Route, error) {
	for try := 1; ; try++ {
		found, err := k.handle.RouteList(nil, family) // of the main table
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return found, err
		}
		if try == 3 {
			return found, nil
		}
	}
}

func (k *Kernel) route(r Route) *netlink.Route {
	nr := &netlink.Route{
		LinkIndex: k.ifindex,
		Dst:       ipNet(r.Prefix),
		Protocol:  Protocol,
		Table:     unix.RT_TABLE_MAIN,
		MTU:       r.MTU,
	}
	if r.Prefix.Addr().Is4() {
		nr.Scope = unix.RT_SCOPE_LINK
	}
	return nr
}

// prefixOf is the zero prefix for what is none.
func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if ok && bits == 32 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, ones)
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
