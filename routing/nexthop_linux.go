package routing

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A NextHop is the kernel's current route to an address; the zero one: there is none.
type NextHop struct {
	Interface       int
	Running         bool // the interface has a carrier
	Gateway, Source netip.Addr
}

// NextHops looks routes up in the kernel, policy routing included. One goroutine uses it.
type NextHops struct {
	handle  *netlink.Handle
	mark    uint32
	running map[int]bool // of this pass
}

// NewNextHops is for packets with a mark, in the network namespace of the calling
// thread. The caller calls Close.
func NewNextHops(mark uint32) (*NextHops, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	return &NextHops{handle: h, mark: mark}, nil
}

// Pass begins a pass: within one, the state of an interface is asked for once.
func (w *NextHops) Pass() { w.running = make(map[int]bool) }

// To is one lookup.
func (w *NextHops) To(a netip.Addr) NextHop {
	o := &netlink.RouteGetOptions{Mark: w.mark}
	if zone := a.Zone(); zone != "" {
		l, err := w.handle.LinkByName(zone)
		if err != nil {
			return NextHop{}
		}
		o.OifIndex = l.Attrs().Index
	}
	found, err := w.handle.RouteGetWithOptions(net.IP(a.Unmap().WithZone("").AsSlice()), o)
	if err != nil || len(found) != 1 {
		return NextHop{}
	}
	r := &found[0]
	gw, _ := netip.AddrFromSlice(r.Gw)
	src, _ := netip.AddrFromSlice(r.Src)
	return NextHop{Interface: r.LinkIndex, Running: w.carrier(r.LinkIndex), Gateway: gw.Unmap(), Source: src.Unmap()}
}

func (w *NextHops) carrier(index int) bool {
	is, known := w.running[index]
	if !known {
		l, err := w.handle.LinkByIndex(index)
		is = err == nil && l.Attrs().RawFlags&unix.IFF_RUNNING != 0
		w.running[index] = is
	}
	return is
}

// Close ends it.
func (w *NextHops) Close() { w.handle.Close() }
