package tun

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

const addrGenModeNone = 1 // IN6_ADDR_GEN_MODE_NONE

// setUp finishes a new device before anybody uses it.
func (d *Device) setUp(c Config) error {
	link, err := d.link.LinkByName(d.name)
	if err != nil {
		return fmt.Errorf("tun: find %s: %w", d.name, err)
	}
	d.index = link.Attrs().Index
	if err := d.SetMTU(c.MTU); err != nil {
		return err
	}
	if !c.NoOffload {
		if err := d.takeOver(link); err != nil {
			return err
		}
	}
	return d.quiet(link)
}

// takeOver moves packets through the descriptor itself from now on. The kernel
// then hands over super-packets of as many segments as leave in one call.
func (d *Device) takeOver(link netlink.Link) error {
	direct, err := newDirect(d.native.File())
	if err != nil {
		return fmt.Errorf("tun: set up offload on %s: %w", d.name, err)
	}
	d.direct = direct
	// A kernel that does not know the limit makes larger ones, which is as right.
	_ = d.link.LinkSetGSOMaxSize(link, gsoSize(d.MTU()))
	return nil
}

// gsoSize is 45 segments of the largest payload.
func gsoSize(mtu int) int { return min(maxPacket, maxSegments*(mtu-ip.V4Size-ip.TCPSize)) }

// quiet keeps the kernel from talking to itself over the tunnel: no link-local
// address (hence no router solicitation and no duplicate detection), no
// multicast, no router advertisements believed.
func (d *Device) quiet(link netlink.Link) error {
	if err := d.link.LinkSetMulticastOff(link); err != nil {
		return fmt.Errorf("tun: switch multicast off on %s: %w", d.name, err)
	}
	conf := "/proc/sys/net/ipv6/conf/" + d.name
	if _, err := os.Stat(conf); err != nil {
		return nil // this kernel has no IPv6
	}
	if err := d.link.LinkSetIP6AddrGenMode(link, addrGenModeNone); err != nil {
		return fmt.Errorf("tun: switch automatic addresses off on %s: %w", d.name, err)
	}
	// A second lock, and containers mount this read-only: without a link-local
	// address nothing solicits, and no peer owns the source of an advertisement.
	for _, knob := range []string{"/accept_ra", "/autoconf"} {
		_ = os.WriteFile(conf+knob, []byte("0"), 0)
	}
	return nil
}

// manage runs f with the device's netlink socket, or reports os.ErrClosed.
func (d *Device) manage(what string, f func(*netlink.Handle, netlink.Link) error) error {
	d.admin.Lock()
	defer d.admin.Unlock()
	if d.link == nil {
		return fmt.Errorf("tun: %s: %w", what, os.ErrClosed)
	}
	dev := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: d.name, Index: d.index}}
	err := f(d.link, dev)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w, and so does using one (%s on %s)", ErrPermission, what, d.name)
	}
	if err != nil {
		return fmt.Errorf("tun: %s on %s: %w", what, d.name, err)
	}
	return nil
}

// Up lets packets flow; routes through the device need it first.
func (d *Device) Up() error {
	return d.manage("set up", func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetUp(l) })
}

// SetMTU changes the device's MTU, 1280 to 65535 bytes.
func (d *Device) SetMTU(mtu int) error {
	if err := checkMTU(mtu); err != nil {
		return err
	}
	return d.manage(fmt.Sprintf("set MTU %d", mtu), func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetMTU(l, mtu) })
}

// MTU asks the kernel for the MTU in bytes; 0 when the device is gone.
func (d *Device) MTU() int {
	var mtu int
	_ = d.manage("read MTU", func(h *netlink.Handle, l netlink.Link) error {
		link, err := h.LinkByIndex(l.Attrs().Index)
		if err == nil {
			mtu = link.Attrs().MTU
		}
		return err
	})
	return mtu
}

// IsUp asks the kernel whether packets flow.
func (d *Device) IsUp() bool {
	up := false
	_ = d.manage("look", func(h *netlink.Handle, l netlink.Link) error {
		link, err := h.LinkByIndex(l.Attrs().Index)
		if err == nil {
			up = link.Attrs().RawFlags&unix.IFF_UP != 0
		}
		return err
	})
	return up
}

// AddAddress gives the device an address; the kernel routes the rest of the
// prefix to the device too. The same address twice is fine. The kernel takes an
// IPv6 address into use a few milliseconds later. Errors: ErrNoIPv6.
func (d *Device) AddAddress(p netip.Prefix) error {
	_, err := d.EnsureAddress(p)
	return err
}

// EnsureAddress is AddAddress, and reports whether the device lacked the address.
func (d *Device) EnsureAddress(p netip.Prefix) (added bool, err error) {
	if !p.IsValid() || p.Addr().Is4In6() || p.Addr().IsUnspecified() || p.Addr().IsMulticast() {
		return false, fmt.Errorf("tun: %s cannot be an interface address", p)
	}
	err = d.manage("add address "+p.String(), func(h *netlink.Handle, l netlink.Link) error {
		err := h.AddrAdd(l, address(p))
		switch {
		case err == nil:
			added = true
			if d.adopted != nil && !slices.Contains(d.adopted.added, p) {
				d.adopted.added = append(d.adopted.added, p)
			}
			return nil
		case errors.Is(err, unix.EEXIST):
			return nil
		case p.Addr().Is6() && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)):
			return fmt.Errorf("%w (%w; sysctl net.ipv6.conf.all.disable_ipv6)", ErrNoIPv6, err)
		}
		return err
	})
	return added, err
}

// RemoveAddress takes an address away; one that is not there is fine. Routes whose
// preferred source it was go with it.
func (d *Device) RemoveAddress(p netip.Prefix) error {
	return d.manage("remove address "+p.String(), func(h *netlink.Handle, l netlink.Link) error {
		a := address(p)
		a.Flags, a.Broadcast = 0, nil
		err := h.AddrDel(l, a)
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return nil
		}
		return err
	})
}

// address is what netlink takes: no duplicate detection, no broadcast address.
func address(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	} else {
		a.Broadcast = net.IPv4zero
	}
	return a
}
