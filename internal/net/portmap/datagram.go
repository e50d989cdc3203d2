package portmap

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/mapping"
)

// maxAnswers bounds the packets that are read of a router in a round.
const maxAnswers = 16

// send sends a packet of PCP or NAT-PMP. The socket is connected: the kernel drops
// what comes from elsewhere and reports ICMP errors.
func (c *client) send(packet []byte) error {
	if c.conn == nil {
		d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.gateway.Local, 0)), Control: c.cfg.Control}
		conn, err := d.DialContext(c.ctx, "udp", netip.AddrPortFrom(c.gateway.Router, mapping.Port).String())
		if err != nil {
			return err
		}
		c.conn = conn.(*net.UDPConn)
		c.begin(func() { c.read(conn) })
	}
	_, err := c.conn.Write(packet)
	return err
}

// read posts what comes, until the socket is closed.
func (c *client) read(conn net.Conn) {
	b := make([]byte, mapping.MaxPacket+1) // a packet that is too large is not cut to one that is not
	for range maxAnswers {
		n, err := conn.Read(b)
		switch packet := slices.Clone(b[:n]); {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			c.post(c.machine.Unreachable)
		default:
			c.post(func(now time.Time) []mapping.Action { return c.machine.Datagram(packet, now) })
		}
	}
}

// hangUp closes the socket of the round, and so ends its reader.
func (c *client) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
