package transport

import (
	"errors"
	"net"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/net/utcp"
)

// portTries is how often a free port is drawn that both UDP and TCP can have.
const portTries = 16

// ports are the open sockets of a Transport.
type ports struct {
	udp udp.Conn
	tcp *net.TCPListener // nil: no μTCP
}

// openPorts opens the UDP socket and, if μTCP is wanted, the TCP listener with the
// same port number. A port that the system chose for one may be taken for the other.
func openPorts(c Config, count *counters) (ports, error) {
	o := c.onUDP(count)
	for try := 1; ; try++ {
		conn, err := udp.Open(o)
		if err != nil {
			return ports{}, err
		}
		if !c.wantsUTCP() {
			return ports{udp: conn}, nil
		}
		ln, err := utcp.Listen(netaddr.PortOf(conn.LocalAddr()), o.Marker())
		if err == nil {
			return ports{conn, ln}, nil
		}
		conn.Close()
		if c.Listen.Port() != 0 || !errors.Is(err, syscall.EADDRINUSE) || try == portTries {
			return ports{}, err
		}
	}
}

func (p ports) close() {
	p.udp.Close()
	if p.tcp != nil {
		p.tcp.Close()
	}
}
