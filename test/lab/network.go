package lab

import (
	"context"
	"net"
	"net/netip"
)

// A Network makes sockets somewhere: in a Host's namespace, or here.
type Network interface {
	ListenUDP(local netip.AddrPort) (*net.UDPConn, error)
	DialUDP(remote netip.AddrPort) (*net.UDPConn, error)
	ListenTCP(local netip.AddrPort) (*net.TCPListener, error)
	DialTCP(ctx context.Context, remote netip.AddrPort) (*net.TCPConn, error)
}

// Loopback is the Network of the calling thread's namespace: for relays inside
// a test that needs no privilege.
type Loopback struct{}

var _ Network = Loopback{}

// ListenUDP opens a UDP socket.
func (Loopback) ListenUDP(local netip.AddrPort) (*net.UDPConn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(local))
}

// DialUDP opens a connected UDP socket.
func (Loopback) DialUDP(remote netip.AddrPort) (*net.UDPConn, error) {
	return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
}

// ListenTCP opens a listener.
func (Loopback) ListenTCP(local netip.AddrPort) (*net.TCPListener, error) {
	return net.ListenTCP("tcp", net.TCPAddrFromAddrPort(local))
}

// DialTCP connects; a literal address is dialled on the calling thread.
func (Loopback) DialTCP(ctx context.Context, remote netip.AddrPort) (*net.TCPConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", remote.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}
