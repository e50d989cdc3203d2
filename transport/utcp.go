package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/net/utcp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// portTries is how often a free port is drawn that both UDP and TCP can have.
const portTries = 16

func wantsUTCP(c Config) bool { return utcp.Works && c.Carriers.links(wire.LinkUTCP) }

// openPorts opens the UDP socket and, if μTCP is wanted, the TCP listener with the
// same port number. A port that the system chose for one may be taken for the other.
func openPorts(c Config) (conn *net.UDPConn, tcp *net.TCPListener, err error) {
	o := udp.Options{Listen: c.Listen, Mark: c.Mark, NoOffload: c.NoOffload, Log: c.Logger}
	for range portTries {
		conn, err = udp.Open(o)
		if err != nil || !wantsUTCP(c) {
			return conn, nil, err
		}
		tcp, err = utcp.Listen(netaddr.PortOf(conn.LocalAddr()), o.Marker())
		if err == nil {
			return conn, tcp, nil
		}
		conn.Close()
		if c.Listen.Port() != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, nil, err
}

// openUTCP makes the door of μTCP; without a listener there is none.
func (t *Transport) openUTCP(c Config, ln *net.TCPListener) {
	if ln == nil {
		return
	}
	t.utcp = utcp.New(ln, t.LocalAddr().Addr(), utcp.Options{Mark: c.onUDP(t.count).Marker(), Log: t.log, Count: &t.count.utcp,
		Sources: sources{t.admission.unproven}, Protect: t.count.protect, Start: t.run, Accepted: t.welcome})
}

func (t *Transport) dialUTCP(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	c, err := t.utcp.Dial(ctx, remote)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// welcome hands a connection that has begun well to Accept.
func (t *Transport) welcome(c link.Conn) error {
	select {
	case t.incoming <- c:
		return nil
	default:
		return errors.New("transport: nobody accepts connections")
	}
}

// sources is what μTCP asks of the book of strangers on QUIC: who has proven itself
// by one link is known on the other.
type sources struct{ u *unproven }

func (s sources) Remembers(a netip.Addr) bool        { return s.u.remembers(a) }
func (s sources) More(a netip.Addr) int              { return s.u.moreFrom(a) }
func (s sources) Learn(a netip.Addr)                 { s.u.learn(a, time.Now()) }
func (s sources) Connect(a netip.Addr) (gone func()) { return s.u.connect(a) }
