package routing

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Shadow is a prefix of ours whose packets go elsewhere: the kernel prefers
// another route to it, of a better metric or of another table.
type Shadow struct {
	Prefix netip.Prefix
	By     string // the interface of that route, or what it does
}

// Shadows asks the kernel about every prefix, one lookup for each, however large
// its table is.
func (k *Kernel) Shadows() (all []Shadow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return nil
	}
	for _, r := range k.routes() {
		if by, is := k.shadow(r.Prefix); is {
			all = append(all, Shadow{r.Prefix, by})
		}
	}
	return all
}

// Cover is Add of a network whose single addresses then need no routes of their own.
// ErrTaken: packets to it go elsewhere, so it covers nothing; then nothing is put, and
// what an earlier Cover has put is taken out.
func (k *Kernel) Cover(network netip.Prefix) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	if err := (Route{Prefix: network}).check(); err != nil {
		return err
	}
	// Before the route is put: in place of the route that the kernel has made with our
	// address IPv4 would replace that of another interface, if it comes first.
	by, taken := k.shadow(network)
	var err error
	if !taken {
		_, err = k.ensure([]Route{{Prefix: network, MTU: k.want[network].mtu}})
		by, taken = k.shadow(network)
	}
	switch {
	case taken:
		err = fmt.Errorf("%w: %s goes through %s, whose route comes first", ErrTaken, network, by)
	case !errors.Is(err, ErrTaken):
		return err // tried again by Ensure
	}
	return errors.Join(err, k.remove(network))
}

// Elsewhere returns those of single addresses to which the kernel sends by another
// interface, or refuses to send: the route of a network does not cover them. One lookup
// for each, however large its table is, 32 in a call. Those that it has no route to are
// left out, and after an error those that it was not asked about.
func (k *Kernel) Elsewhere(addrs []netip.Prefix) (all []netip.Prefix, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return nil, nil
	}
	err = k.asks.each(addrs, func(p netip.Prefix, a lookedUp) {
		if refusing(a.err) || a.err == 0 && a.link != k.ifindex {
			all = append(all, p)
		}
	})
	return all, err
}

// shadow looks up addresses of the prefix until one is not of a longer prefix,
// which is somebody's word about a part of it. A prefix that has no route at all
// is missing, not shadowed.
func (k *Kernel) shadow(p netip.Prefix) (by string, is bool) {
	for _, a := range samples(p) {
		found, err := k.handle.RouteGetWithOptions(a.AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
		switch {
		case refusing(err):
			by, is = "a route that refuses packets", true
			continue
		case err != nil || len(found) != 1:
			return "", false
		}
		r := &found[0]
		length := 0
		if r.Dst != nil {
			length, _ = r.Dst.Mask.Size()
		}
		switch {
		case r.LinkIndex == k.ifindex && r.Type == unix.RTN_UNICAST:
			return "", false
		case r.Table == unix.RT_TABLE_MAIN && length == p.Bits():
			return k.owner(r), true
		case r.Table == unix.RT_TABLE_MAIN && length < p.Bits(), r.Table == unix.RT_TABLE_LOCAL && length <= p.Bits():
			return "", false
		case length <= p.Bits():
			return k.owner(r), true
		}
	}
	return by, is
}

// refusing tells the errors that unreachable, prohibit and blackhole routes give.
func refusing(err error) bool {
	return errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINVAL)
}

// samples are addresses of a prefix that are mostly hosts of nobody.
func samples(p netip.Prefix) []netip.Addr {
	first := p.Masked().Addr()
	if p.IsSingleIP() {
		return []netip.Addr{first}
	}
	bit := func(a netip.Addr, n int) netip.Addr { // sets bit n, counted from the left
		b := a.AsSlice()
		b[n/8] |= 0x80 >> (n % 8)
		out, _ := netip.AddrFromSlice(b)
		return out
	}
	half, last := p.Bits(), first.BitLen()-1
	if half == last {
		return []netip.Addr{first, bit(first, last)}
	}
	return []netip.Addr{bit(bit(first, half), last), bit(bit(first, half+1), last), bit(first, half), bit(first, last)}
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
