package lab

import (
	"context"
	"net"
	"net/netip"
)

// A Host is a Network: its sockets live in its namespace, wherever they are
// used from.
var _ Network = (*Host)(nil)

// ListenUDP opens a UDP socket in the host.
func (h *Host) ListenUDP(local netip.AddrPort) (c *net.UDPConn, err error) {
	err = h.Do(func() error {
		c, err = Loopback{}.ListenUDP(local)
		return err
	})
	return c, err
}

// DialUDP opens a connected UDP socket in the host.
func (h *Host) DialUDP(remote netip.AddrPort) (c *net.UDPConn, err error) {
	err = h.Do(func() error {
		c, err = Loopback{}.DialUDP(remote)
		return err
	})
	return c, err
}

// ListenTCP opens a listener in the host.
func (h *Host) ListenTCP(local netip.AddrPort) (l *net.TCPListener, err error) {
	err = h.Do(func() error {
		l, err = Loopback{}.ListenTCP(local)
		return err
	})
	return l, err
}

// DialTCP connects from the host. It holds a thread until it returns.
func (h *Host) DialTCP(ctx context.Context, remote netip.AddrPort) (c *net.TCPConn, err error) {
	err = h.Do(func() error {
		c, err = Loopback{}.DialTCP(ctx, remote)
		return err
	})
	return c, err
}

// RelayUDP starts a UDP relay in the host; Lab.Close closes it.
func (h *Host) RelayUDP(local, target netip.AddrPort, seed uint64) (*UDPRelay, error) {
	r, err := RelayUDP(h, local, target, seed)
	if err != nil {
		return nil, err
	}
	return r, h.lab.ownOrClose(r)
}

// RelayTCP starts a TCP relay in the host; Lab.Close closes it.
func (h *Host) RelayTCP(local, target netip.AddrPort, seed uint64) (*TCPRelay, error) {
	r, err := RelayTCP(h, local, target, seed)
	if err != nil {
		return nil, err
	}
	return r, h.lab.ownOrClose(r)
}
