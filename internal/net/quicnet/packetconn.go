package quicnet

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/udp"
)

// resetRate is how many stateless resets a second leave, to all together, but for
// those to addresses of connections that live.
const resetRate = 5

// A packetConn is the packet conn under quic-go: it reads from our queue and
// writes to our socket. It implements quic.OOBCapablePacketConn and ReadBatch,
// because without both quic-go would read the socket itself.
type packetConn struct {
	sock          udp.Conn
	queue         *packetQueue
	batch         *batcher
	pace          *pacer
	count         *Counters
	amplification *amplificationGuard
	moved         func(netip.AddrPort) bool // of connTable
	holds         *holds
	abandoned     *abandonment
	resets        *rate.Limiter

	readSized, writeSized bool // used while quic-go sets up, by one goroutine
}

var _ quic.OOBCapablePacketConn = (*packetConn)(nil)

var errSizing = errors.New("transport: buffers are already sized")

// ReadBatch fills at least one message, or returns an error and none: after an
// empty success quic-go would read old messages again.
func (c *packetConn) ReadBatch(ms []ipv4.Message, _ int) (int, error) {
	if err := c.queue.await(); err != nil {
		return 0, err
	}
	now := time.Now()
	c.pace.pause(now)
	n, err := c.queue.pop(ms)
	c.pace.gave(ms[:n], now)
	return n, err
}

// ReadMsgUDP is part of the interface; on Linux only ReadBatch is used.
func (c *packetConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	ms := []ipv4.Message{{Buffers: [][]byte{b}, OOB: oob}}
	if _, err := c.queue.pop(ms); err != nil {
		return 0, 0, 0, nil, err
	}
	return ms[0].N, ms[0].NN, 0, ms[0].Addr.(*net.UDPAddr), nil
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, _, addr, err := c.ReadMsgUDP(b, nil)
	if err != nil {
		return 0, nil, err
	}
	return n, addr, nil
}

func (c *packetConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	n, _, err := c.WriteMsgUDP(b, nil, addr.(*net.UDPAddr))
	return n, err
}

// WriteMsgUDP sends what quic-go built, control messages included. Packets of
// established connections that allow segmentation go through the batcher.
//
// Of the others, mostly handshakes, EMSGSIZE goes up, where quic-go has an
// answer to it; errors that pass with time are counted and hidden. (After the
// handshake quic-go ignores EMSGSIZE as well.)
func (c *packetConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (int, int, error) {
	to := netaddr.PortOf(addr)
	size := len(b)
	if c.abandoned.drops(to, b) {
		return size, len(oob), nil
	}
	switch ok, exempt := c.amplification.allows(to, b); {
	case !ok && (udp.IsLong(b) || !c.moved(to)):
		c.count.Limited.Add(1)
		return size, len(oob), nil
	case exempt:
		b = padded(b)
	case len(b) == udp.ResetSize && !udp.IsLong(b) && (c.abandoned.has(to) || !c.resets.Allow()): // to who has no connection: a stateless reset
		return size, len(oob), nil
	}
	if len(b) > 0 && b[0]&0x80 != 0 {
		c.holds.await(to)
	}
	if len(b) > 0 && b[0]&0x80 == 0 && c.batch.write(b, oob, to) {
		return size, len(oob), nil
	}
	_, _, err := c.sock.WriteMsgUDPAddrPort(b, oob, to)
	if err != nil && udp.Transient(err) {
		c.count.SendErrors.Add(1)
		err = nil
	}
	if err != nil {
		return 0, 0, err
	}
	return size, len(oob), nil
}

// SyscallConn is refused until quic-go has sized the buffers: with it quic-go
// would force 7 MiB on our socket, or log that it could not; without it it calls
// SetReadBuffer and SetWriteBuffer and is content.
func (c *packetConn) SyscallConn() (syscall.RawConn, error) {
	if !c.readSized || !c.writeSized {
		return nil, errSizing
	}
	return c.sock.SyscallConn()
}

// SetReadBuffer keeps the size that the socket was opened with.
func (c *packetConn) SetReadBuffer(int) error { c.readSized = true; return nil }

// SetWriteBuffer keeps the size that the socket was opened with.
func (c *packetConn) SetWriteBuffer(int) error { c.writeSized = true; return nil }

func (c *packetConn) LocalAddr() net.Addr { return c.sock.LocalAddr() }

// Close ends the queue only: the socket is its owner's.
func (c *packetConn) Close() error { c.queue.close(); return nil }

func (c *packetConn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *packetConn) SetReadDeadline(t time.Time) error  { c.queue.setDeadline(t); return nil }
func (c *packetConn) SetWriteDeadline(t time.Time) error { return nil }
