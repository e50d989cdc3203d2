package quicnet

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A virtualConn is the packet conn under the quic-go of a Virtual: it reads from its
// queue and sends packet by packet. It is a plain net.PacketConn, so that quic-go
// neither joins packets nor adds control messages, which a circuit cannot carry.
type virtualConn struct {
	v       *Virtual
	resets  *rate.Limiter
	batches sync.Pool // of *wire.Batch

	msg [1]ipv4.Message // of the one goroutine that reads
	buf [1][]byte
}

var _ net.PacketConn = (*virtualConn)(nil)

func (c *virtualConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.buf[0] = b
	c.msg[0].Buffers = c.buf[:]
	if _, err := c.v.queue.pop(c.msg[:]); err != nil {
		return 0, nil, err
	}
	return c.msg[0].N, c.msg[0].Addr, nil
}

// WriteTo never fails: quic-go ends a connection at an error, and a circuit that is
// gone may be replaced below the same address.
func (c *virtualConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to := netaddr.PortOf(addr)
	switch {
	case udp.IsLong(b):
		c.v.holds.await(to)
	case len(b) == udp.ResetSize && !c.v.open.has(to) && !c.resets.Allow(): // to who has no connection: a stateless reset
		return len(b), nil
	}
	batch, ok := c.batches.Get().(*wire.Batch)
	if !ok {
		batch = new(wire.Batch)
	}
	batch.Append(b)
	(*c.v.send.Load())(to, batch)
	batch.Reset()
	c.batches.Put(batch)
	return len(b), nil
}

// LocalAddr is unspecified: a node has no virtual address of its own.
func (c *virtualConn) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
}

// Close ends the queue.
func (c *virtualConn) Close() error { c.v.queue.close(); return nil }

// SetReadBuffer and SetWriteBuffer are there because quic-go logs where they are not.
func (c *virtualConn) SetReadBuffer(int) error  { return nil }
func (c *virtualConn) SetWriteBuffer(int) error { return nil }

func (c *virtualConn) SetDeadline(t time.Time) error     { return c.SetReadDeadline(t) }
func (c *virtualConn) SetReadDeadline(t time.Time) error { c.v.queue.setDeadline(t); return nil }
func (c *virtualConn) SetWriteDeadline(time.Time) error  { return nil }
