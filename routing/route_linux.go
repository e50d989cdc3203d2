package routing

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// standing lists the interface's own routes to the prefixes of routes.
func (k *Kernel) standing(routes []Route) (map[netip.Prefix][]netlink.Route, error) {
	there := make(map[netip.Prefix][]netlink.Route)
	families := make(map[int]bool)
	for _, r := range routes {
		there[r.Prefix] = nil
		families[family(r.Prefix)] = true
	}
	for f := range families {
		found, err := k.list(f)
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) { // a kernel without IPv6
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

// before returns the route of the interface that ours will stand for, nil if
// there is none: the kernel's, of the best metric.
func (k *Kernel) before(prefix netip.Prefix, there []netlink.Route) *netlink.Route {
	before := k.want[prefix].before
	for i := range there {
		if r := &there[i]; r.Protocol != Protocol && (before == nil || r.Priority <= before.Priority) {
			before = r
		}
	}
	return before
}

func find(there []netlink.Route, metric int) *netlink.Route {
	for i := range there {
		if there[i].Priority == metric {
			return &there[i]
		}
	}
	return nil
}

// list repeats a listing of the interface's routes that a change of the table
// interrupted; the last one counts as it is.
func (k *Kernel) list(family int) ([]netlink.Route, error) {
	only := &netlink.Route{LinkIndex: k.ifindex, Table: unix.RT_TABLE_MAIN}
	for try := 1; ; try++ {
		found, err := k.lists.RouteListFiltered(family, only, netlink.RT_FILTER_OIF|netlink.RT_FILTER_TABLE)
		if errors.Is(err, unix.ENOENT) { // no route has ever been in the table
			return nil, nil
		}
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
		Priority:  Metric,
		MTU:       r.MTU,
	}
	if r.Prefix.Addr().Is4() {
		nr.Scope = unix.RT_SCOPE_LINK
	}
	return nr
}

// prefixOf returns the zero prefix for what is no prefix.
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

// absent reports that there is nothing left to remove: the route, or the device
// with all its routes, or the device is down, or the kernel has no IPv6.
func absent(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.EOPNOTSUPP) ||
		errors.Is(err, unix.EAFNOSUPPORT)
}

func explain(err error) error {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w (%w)", ErrNoIPv6, err)
	case errors.Is(err, unix.ENETDOWN):
		return fmt.Errorf("%w (set the device up first)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (changing routes needs CAP_NET_ADMIN: run as root)", err)
	}
	return err
}
