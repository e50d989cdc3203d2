package quicnet

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// A movingConn sends from one of two sockets. What comes to the second is counted,
// and read only by who lives there: whoever forges its address does not.
type movingConn struct {
	net.PacketConn // the first
	second         net.PacketConn
	lives          bool
	moved          atomic.Bool
	sent, came     atomic.Int64 // bytes, of the second
	in             chan arrived
	ended          chan struct{} // in stays open: the sockets still read
	end            sync.Once
}

type arrived struct {
	b    []byte
	from net.Addr
}

func newMovingConn(t *testing.T, lives bool) *movingConn {
	c := &movingConn{lives: lives, in: make(chan arrived, 256), ended: make(chan struct{})}
	var both [2]net.PacketConn
	for i := range both {
		s, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		both[i] = s
		go func() { // ends with the socket
			for b := make([]byte, 2000); ; {
				n, from, err := s.ReadFrom(b)
				if err != nil {
					return
				}
				if i == 1 {
					c.came.Add(int64(n))
				}
				if i == 0 || lives {
					select {
					case c.in <- arrived{append([]byte(nil), b[:n]...), from}:
					default:
					}
				}
			}
		}()
	}
	c.PacketConn, c.second = both[0], both[1]
	return c
}

func (c *movingConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case a := <-c.in:
		return copy(b, a.b), a.from, nil
	case <-c.ended:
		return 0, nil, net.ErrClosed
	}
}

func (c *movingConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if !c.moved.Load() {
		return c.PacketConn.WriteTo(b, to)
	}
	c.sent.Add(int64(len(b)))
	return c.second.WriteTo(b, to)
}

func (c *movingConn) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && time.Until(t) < time.Second { // quic-go ends
		c.end.Do(func() { close(c.ended) })
	}
	return nil
}

// moving connects to b, whose connections arrive on conns, and then sends n small
// datagrams from its second address.
func moving(t *testing.T, b *node, conns <-chan link.Conn, lives bool, n int) (c *movingConn, qc *quic.Conn, other *conn, end func()) {
	c = newMovingConn(t, lives)
	conf, err := tlsConfig()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tr := &quic.Transport{Conn: c}
	qc, err = tr.Dial(ctx, net.UDPAddrFromAddrPort(b.LocalAddr()), conf, &quic.Config{EnableDatagrams: true, DisablePathMTUDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	accepted := <-conns
	other = accepted.(*conn)
	records.Eventually(t, 30*time.Second, "the handshake is confirmed, which comes before a datagram", func() bool {
		_ = other.qc.SendDatagram(make([]byte, 8))
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, err := qc.ReceiveDatagram(short)
		return err == nil
	})
	c.moved.Store(true)
	for range n {
		if err := qc.SendDatagram(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return c, qc, other, func() { qc.CloseWithError(0, ""); tr.Close() }
}

// SPEC 3.4: whoever has a connection and forges an address has nothing sent there
// but what it pays for. A peer that has really moved is followed.
func TestForgedAddressesOfAConnectionGetNoMore(t *testing.T) {
	b := startNode(t, loopback)
	conns := records.Accepting(t, b, 64)
	c, _, _, end := moving(t, b, conns, false, 100)
	sent, came := c.sent.Load(), c.came.Load()
	end()
	if came > sent || sent == 0 {
		t.Errorf("%d bytes to a forged address, which sent %d", came, sent)
	}
	c, qc, other, end := moving(t, b, conns, true, 300)
	defer end()
	// QUIC repeats its question, at growing distances, when something comes from there.
	records.Eventually(t, 30*time.Second, "the connection gets where it has moved to more than came from there", func() bool {
		_ = qc.SendDatagram(make([]byte, 8))
		_ = other.qc.SendDatagram(make([]byte, 1000))
		return c.came.Load() > 3*c.sent.Load() && b.amplification.isExempt(netaddr.PortOf(c.second.LocalAddr()))
	})
	faults.Report(t, "S29", came <= sent, "100 small packets of a connection from a forged address: %d bytes sent, %d came there; one that really moves is followed", sent, came)
}
