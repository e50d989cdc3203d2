package routing

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Way is how the kernel would send to an address now; the zero one: it would not.
type Way struct {
	Interface       int
	Running         bool // the interface has a carrier
	Gateway, Source netip.Addr
}

// Ways asks the kernel for ways, policy routing included. One goroutine uses it.
type Ways struct {
	handle  *netlink.Handle
	mark    uint32
	running map[int]bool // of this pass
}

// NewWays is for packets with a mark, in the network namespace of the calling
// thread. The caller calls Close.
func NewWays(mark uint32) (*Ways, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	return &Ways{handle: h, mark: mark}, nil
}

// Pass begins a pass: within one, the state of an interface is asked for once.
func (w *Ways) Pass() { w.running = make(map[int]bool) }

// To is one lookup.
func (w *Ways) To(a netip.Addr) Way {
	o := &netlink.RouteGetOptions{Mark: w.mark}
	if zone := a.Zone(); zone != "" {
		l, err := w.handle.LinkByName(zone)
		if err != nil {
			return Way{}
		}
		o.OifIndex = l.Attrs().Index
	}
	found, err := w.handle.RouteGetWithOptions(net.IP(a.Unmap().WithZone("").AsSlice()), o)
	if err != nil || len(found) != 1 {
		return Way{}
	}
	r := &found[0]
	gw, _ := netip.AddrFromSlice(r.Gw)
	src, _ := netip.AddrFromSlice(r.Src)
	return Way{Interface: r.LinkIndex, Running: w.carrier(r.LinkIndex), Gateway: gw.Unmap(), Source: src.Unmap()}
}

func (w *Ways) carrier(index int) bool {
	is, known := w.running[index]
	if !known {
		l, err := w.handle.LinkByIndex(index)
		is = err == nil && l.Attrs().RawFlags&unix.IFF_RUNNING != 0
		w.running[index] = is
	}
	return is
}

// Close ends it.
func (w *Ways) Close() { w.handle.Close() }
