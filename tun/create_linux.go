package tun

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	wgtun "golang.zx2c4.com/wireguard/tun"
)

const clonePath = "/dev/net/tun"

// Create makes a new device, down and without addresses, in the network
// namespace of the calling thread. It never attaches to a device that exists,
// unless Config.FD is one's descriptor.
// Errors: ErrName, ErrMTU, ErrUnavailable, ErrPermission, ErrTaken, ErrDescriptor.
func Create(c Config) (*Device, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("tun: open netlink: %w", err)
	}
	var theirs *adopted
	var fd int
	if c.FD != 0 {
		fd, theirs, err = adopt(handle, &c)
	} else {
		fd, err = open(handle, c.Name)
	}
	if err != nil {
		handle.Close()
		return nil, err
	}
	// From here wireguard/tun owns fd. Its unmonitored form has no goroutines
	// and no events; on error its file is closed by the garbage collector.
	native, _, err := wgtun.CreateUnmonitoredTUNFromFD(fd)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("tun: set up %s: %w", c.Name, err)
	}
	d := &Device{name: c.Name, native: native, link: handle, adopted: theirs}
	if err := d.setUp(c); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// open makes the kernel's device: not wireguard/tun's CreateTUN, which leaks
// the descriptor on failure and would attach to an existing device.
func open(handle *netlink.Handle, name string) (int, error) {
	fd, err := unix.Open(clonePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, openError(err)
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_TUN_EXCL)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		return -1, attachError(handle, name, err)
	}
	return fd, nil
}

func openError(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: %s does not exist (load the module with `modprobe tun`, or give the container that device)", ErrUnavailable, clonePath)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: %s is there but the kernel has no driver for it (`modprobe tun`)", ErrUnavailable, clonePath)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: opening %s is not allowed (run as root, or give the container that device)", ErrPermission, clonePath)
	}
	return fmt.Errorf("tun: open %s: %w", clonePath, err)
}

func attachError(handle *netlink.Handle, name string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: run as root, or `setcap cap_net_admin+ep` the program", ErrPermission)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: %s is %s", ErrTaken, name, describe(handle, name))
	}
	return fmt.Errorf("tun: create %s: %w", name, err)
}

// describe names the interface that has the name, so that the user knows what to remove.
func describe(handle *netlink.Handle, name string) string {
	link, err := handle.LinkByName(name)
	if err != nil {
		return "an interface that is there already"
	}
	t, isTun := link.(*netlink.Tuntap)
	switch {
	case !isTun:
		return fmt.Sprintf("an interface of kind %q; choose another name", link.Type())
	case t.NonPersist:
		return "a TUN device of a running program; stop it or choose another name"
	}
	return fmt.Sprintf("a persistent TUN device that a program left there; `ip link delete %s` removes it", name)
}
