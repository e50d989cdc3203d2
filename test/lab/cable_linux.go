package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Cable is a veth pair between two hosts. Cable n has the networks
// 10.77.n.0/24 and fd77:n::/64; end A has the addresses .1 and ::1, end B .2
// and ::2. ConnectAs lays a cable with other addresses.
type Cable struct{ A, B *End }

// An End is one device of a cable.
type End struct {
	Host *Host
	Dev  string // eth0, eth1, ... in the order of connecting
	IP4  netip.Prefix
	IP6  netip.Prefix
	far  *End
}

// Addresses are those of the two ends of a cable, each with the network that it
// lies in. An end without a valid prefix has no address of that family.
type Addresses struct{ A4, A6, B4, B6 netip.Prefix }

// numbered are the addresses of cable n.
func numbered(n int) Addresses {
	v4 := func(side int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("10.77.%d.%d/24", n, side)) }
	v6 := func(side int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("fd77:%x::%d/64", n, side)) }
	return Addresses{A4: v4(1), A6: v6(1), B4: v4(2), B6: v6(2)}
}

// Connect joins two hosts. An mtu of 0 means 1500. When it returns, both
// addresses of both ends answer.
func (l *Lab) Connect(a, b *Host, mtu int) (*Cable, error) {
	n, err := l.nextCable()
	if err != nil {
		return nil, err
	}
	return l.connect(a, b, mtu, numbered(n))
}

// ConnectAs is Connect with addresses of the caller's choice.
func (l *Lab) ConnectAs(a, b *Host, mtu int, at Addresses) (*Cable, error) {
	if _, err := l.nextCable(); err != nil {
		return nil, err
	}
	return l.connect(a, b, mtu, at)
}

func (l *Lab) connect(a, b *Host, mtu int, at Addresses) (*Cable, error) {
	if mtu == 0 {
		mtu = 1500
	}
	c := newCable(a, b, at)
	if err := c.lay(mtu); err != nil {
		return nil, fmt.Errorf("lab: connect %s and %s: %w", a.Name, b.Name, err)
	}
	return c, nil
}

// newCable names the two ends and adds them to their hosts.
func newCable(a, b *Host, at Addresses) *Cable {
	c := &Cable{A: newEnd(a, at.A4, at.A6), B: newEnd(b, at.B4, at.B6)}
	c.A.far, c.B.far = c.B, c.A
	return c
}

// newEnd names a device and its addresses, and adds it to the host.
func newEnd(h *Host, ip4, ip6 netip.Prefix) *End {
	e := &End{Host: h, Dev: fmt.Sprintf("eth%d", len(h.ends)), IP4: ip4, IP6: ip6}
	if len(h.ends) == 0 {
		h.IP4, h.IP6 = e.IP4.Addr(), e.IP6.Addr()
	}
	h.ends = append(h.ends, e)
	return e
}

// lay makes the pair straight in the two namespaces, so that nothing shows up
// in ours, and brings it up.
func (c *Cable) lay(mtu int) error {
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: c.A.Dev, MTU: mtu},
		PeerName:      c.B.Dev,
		PeerNamespace: netlink.NsFd(int(c.B.Host.ns)),
		PeerMTU:       uint32(mtu),
	}
	if err := c.A.Host.nl.LinkAdd(veth); err != nil {
		return fmt.Errorf("add veth: %w", err)
	}
	for _, e := range []*End{c.A, c.B} {
		if err := e.Host.SetLink(e.Dev, true); err != nil {
			return err
		}
		if err := e.addAddresses(); err != nil {
			return err
		}
	}
	return errors.Join(c.A.waitReady(), c.B.waitReady())
}

// addAddresses gives the device the addresses that the end has.
func (e *End) addAddresses() (err error) {
	for _, p := range []netip.Prefix{e.IP4, e.IP6} {
		if p.IsValid() {
			err = errors.Join(err, e.Host.AddAddr(e.Dev, p))
		}
	}
	return err
}

// waitReady waits until the kernel has noticed the carrier and ended address
// detection; until then IPv6 addresses do not answer.
func (e *End) waitReady() error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		link, err := e.Host.nl.LinkByName(e.Dev)
		if err != nil {
			return err
		}
		addrs, err := e.Host.nl.AddrList(link, netlink.FAMILY_V6)
		if err != nil {
			return err
		}
		ready := link.Attrs().OperState == netlink.OperUp
		for _, a := range addrs {
			ready = ready && a.Flags&unix.IFA_F_TENTATIVE == 0
		}
		if ready {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s of %s does not come up", e.Dev, e.Host.Name)
		}
	}
}

// Unplug takes end B down: end A stays up without a carrier and keeps its
// addresses and routes, as when a plug is pulled.
func (c *Cable) Unplug() error { return c.B.Host.SetLink(c.B.Dev, false) }

// Plug undoes Unplug.
func (c *Cable) Plug() error {
	if err := c.B.Host.SetLink(c.B.Dev, true); err != nil {
		return err
	}
	return errors.Join(c.A.waitReady(), c.B.waitReady())
}

// SetMTU sets the MTU of both ends. A router in between then answers what is
// too big with ICMP; for a path that says nothing see Host.DropLargerThan.
func (c *Cable) SetMTU(mtu int) error {
	return errors.Join(c.A.Host.SetMTU(c.A.Dev, mtu), c.B.Host.SetMTU(c.B.Dev, mtu))
}
