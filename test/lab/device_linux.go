package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// onLink runs one netlink request about a device of the host.
func (h *Host) onLink(dev, what string, f func(netlink.Link) error) error {
	link, err := h.nl.LinkByName(dev)
	if err == nil {
		err = f(link)
	}
	if err != nil {
		return fmt.Errorf("lab: host %s: %s %s: %w", h.Name, what, dev, err)
	}
	return nil
}

// SetLink brings a device up or down. Down removes its routes.
func (h *Host) SetLink(dev string, up bool) error {
	if up {
		return h.onLink(dev, "bring up", h.nl.LinkSetUp)
	}
	return h.onLink(dev, "take down", h.nl.LinkSetDown)
}

// SetMTU sets a device's MTU.
func (h *Host) SetMTU(dev string, mtu int) error {
	return h.onLink(dev, "set the MTU of", func(l netlink.Link) error { return h.nl.LinkSetMTU(l, mtu) })
}

// AddAddr adds an address without duplicate address detection.
func (h *Host) AddAddr(dev string, p netip.Prefix) error {
	return h.onLink(dev, "add "+p.String()+" to", func(l netlink.Link) error {
		return h.nl.AddrAdd(l, &netlink.Addr{IPNet: ipNet(p), Flags: unix.IFA_F_NODAD})
	})
}

// DelAddr removes an address, and with it the routes that prefer it.
func (h *Host) DelAddr(dev string, p netip.Prefix) error {
	return h.onLink(dev, "remove "+p.String()+" from", func(l netlink.Link) error {
		return h.nl.AddrDel(l, &netlink.Addr{IPNet: ipNet(p)})
	})
}

// Route sends dst by way of a neighbour, replacing a route of the same metric.
// A lower metric wins; 0 means the kernel's default.
func (h *Host) Route(dst netip.Prefix, via netip.Addr, metric int) error {
	err := h.nl.RouteReplace(&netlink.Route{Dst: ipNet(dst), Gw: via.AsSlice(), Priority: metric})
	if err != nil {
		return fmt.Errorf("lab: host %s: route %s via %s: %w", h.Name, dst, via, err)
	}
	return nil
}

// Rate limits what leaves a device to bits per second by a token bucket with
// 50 ms of queue; 0 removes the limit.
func (h *Host) Rate(dev string, bits uint64) error {
	return h.onLink(dev, "limit", func(l netlink.Link) error {
		at := netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
		if bits == 0 {
			return h.nl.QdiscDel(&netlink.GenericQdisc{QdiscAttrs: at, QdiscType: "tbf"})
		}
		bytes := bits / 8
		burst := uint32(max(bytes/100, 16<<10)) // 10 ms, and more than any packet
		return h.nl.QdiscReplace(&netlink.Tbf{QdiscAttrs: at, Rate: bytes,
			Buffer: netlink.Xmittime(bytes, burst), Limit: burst + uint32(bytes/20)})
	})
}

// ForgetNAT empties the connection table, as a rebooted router does: flows
// that go on get new mappings.
func (h *Host) ForgetNAT() error {
	if err := h.nl.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
		return fmt.Errorf("lab: host %s: flush conntrack: %w", h.Name, err)
	}
	return nil
}

// ForgetNATBut is ForgetNAT, but for flows to one remote, as when the others have been
// silent for long.
func (h *Host) ForgetNATBut(remote netip.Addr) error {
	if _, err := h.nl.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, allBut(remote)); err != nil {
		return fmt.Errorf("lab: host %s: delete from conntrack: %w", h.Name, err)
	}
	return nil
}

// allBut are all flows but those to a remote.
type allBut netip.Addr

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (a allBut) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	return !f.Forward.DstIP.Equal(netip.Addr(a).AsSlice())
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
