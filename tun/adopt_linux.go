package tun

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// adopted is what a device that somebody else has made gets back when we leave
// it: it may outlive us.
type adopted struct {
	mtu   int
	flags uint32         // IFF_UP and IFF_MULTICAST as they were
	added []netip.Prefix // addresses of ours
}

// adopt takes over the device of c.FD. The descriptor is ours from then on.
func adopt(handle *netlink.Handle, c *Config) (int, *adopted, error) {
	name, err := deviceOf(c.FD)
	if err != nil {
		return -1, nil, err
	}
	if name != c.Name {
		return -1, nil, fmt.Errorf("%w: its device is called %s, not %s", ErrDescriptor, name, c.Name)
	}
	if err := here(c.FD, name); err != nil {
		return -1, nil, err
	}
	link, err := handle.LinkByName(name)
	if err != nil {
		return -1, nil, fmt.Errorf("%w: %s is not in this network namespace (%v)", ErrDescriptor, name, err)
	}
	headers, err := usable(link)
	if err != nil {
		return -1, nil, err
	}
	if headers {
		if err := unix.IoctlSetPointerInt(c.FD, unix.TUNSETVNETHDRSZ, Headroom); err != nil {
			return -1, nil, fmt.Errorf("tun: set the header's size on %s: %w", name, err)
		}
	}
	unix.CloseOnExec(c.FD)
	c.NoOffload = c.NoOffload || !headers
	return c.FD, &adopted{mtu: link.Attrs().MTU, flags: link.Attrs().RawFlags}, nil
}

// deviceOf is the name of the device that a descriptor is attached to. The flags
// that TUNGETIFF tells are of no use: IFF_NO_PI is IFF_NOFILTER there.
func deviceOf(fd int) (name string, err error) {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return "", fmt.Errorf("%w: descriptor %d is not open", ErrDescriptor, fd)
	}
	ifr, err := unix.NewIfreq("")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr)
	}
	switch {
	case errors.Is(err, unix.EBADFD):
		return "", fmt.Errorf("%w: descriptor %d has no device yet; its opener must name one (TUNSETIFF)", ErrDescriptor, fd)
	case err != nil:
		return "", fmt.Errorf("%w: descriptor %d is of something else", ErrDescriptor, fd)
	}
	return ifr.Name(), nil
}

// usable says whether packets on the device's descriptor have virtio-net headers,
// or why it is of a form that we do not read.
func usable(link netlink.Link) (headers bool, err error) {
	name := link.Attrs().Name
	t, ok := link.(*netlink.Tuntap)
	switch {
	case !ok || t.Mode != netlink.TUNTAP_MODE_TUN:
		return false, fmt.Errorf("%w: %s is not a TUN device", ErrDescriptor, name)
	case t.Flags&netlink.TUNTAP_NO_PI == 0:
		return false, fmt.Errorf("%w: %s was made without IFF_NO_PI", ErrDescriptor, name)
	case t.Flags&netlink.TUNTAP_MULTI_QUEUE != 0:
		return false, fmt.Errorf("%w: %s has several queues (IFF_MULTI_QUEUE)", ErrDescriptor, name)
	}
	return t.Flags&netlink.TUNTAP_VNET_HDR != 0, nil
}

// here refuses a device of another network namespace, which may have a namesake
// in ours.
func here(fd int, name string) error {
	theirs, err := unix.IoctlRetInt(fd, unix.TUNGETDEVNETNS)
	if err != nil {
		return nil // an old kernel, or no right to ask: the name has to do
	}
	defer unix.Close(theirs)
	var a, b unix.Stat_t
	if err := errors.Join(unix.Fstat(theirs, &a), unix.Stat("/proc/thread-self/ns/net", &b)); err != nil {
		return nil
	}
	if a.Dev != b.Dev || a.Ino != b.Ino {
		return fmt.Errorf("%w: %s is not in this network namespace", ErrDescriptor, name)
	}
	return nil
}

// giveBack takes away what we put on a device that may outlive us. What fails
// went away by itself.
func (d *Device) giveBack() {
	d.admin.Lock()
	defer d.admin.Unlock()
	if d.adopted == nil || d.link == nil {
		return
	}
	dev := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: d.name, Index: d.index}}
	for _, p := range d.adopted.added {
		_ = d.link.AddrDel(dev, address(p))
	}
	if d.adopted.mtu != 0 {
		_ = d.link.LinkSetMTU(dev, d.adopted.mtu)
	}
	if d.adopted.flags&unix.IFF_MULTICAST != 0 {
		_ = d.link.LinkSetMulticastOn(dev)
	}
	if d.adopted.flags&unix.IFF_UP == 0 {
		_ = d.link.LinkSetDown(dev)
	}
}
