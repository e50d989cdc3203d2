package nat

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long nothing means that nothing comes.
const silence = 200 * time.Millisecond

// site adds a site to the Internet.
func site(t *testing.T, n *Net, k Kind) *Site {
	t.Helper()
	s, err := n.Site(k.String(), k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// witness opens the hub's sockets for a test.
func witness(t *testing.T, n *Net, v6 bool) Witnesses {
	t.Helper()
	w, err := n.Hub.Witness(v6)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// listener opens sockets of a site on its address of a family.
func listener(s *Site, v6 bool) func() (*net.UDPConn, error) {
	return func() (*net.UDPConn, error) { return s.ListenUDP(netip.AddrPortFrom(siteAddr(s, v6), 0)) }
}

func siteAddr(s *Site, v6 bool) netip.Addr {
	if v6 {
		return s.Addr6()
	}
	return s.Addr4()
}

// socket opens one of a site for a test.
func socket(t *testing.T, s *Site, v6 bool) *net.UDPConn {
	t.Helper()
	c, err := listener(s, v6)()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// marked sets a mark on what a listener opens.
func marked(mark int, listen func() (*net.UDPConn, error)) func() (*net.UDPConn, error) {
	return func() (*net.UDPConn, error) {
		c, err := listen()
		if err != nil {
			return nil, err
		}
		return c, setSocket(c, unix.SOL_SOCKET, unix.SO_MARK, mark)
	}
}

// opener sends a packet that passes the site's own routers and no more.
func opener(s *Site, c *net.UDPConn, to netip.AddrPort) error {
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if to.Addr().Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	if err := setSocket(c, level, option, s.Depth()); err != nil {
		return err
	}
	_, _ = c.WriteToUDPAddrPort([]byte("opener"), to)
	return setSocket(c, level, option, -1) // the default again
}

func setSocket(c *net.UDPConn, level, option, value int) (err error) {
	raw, rawErr := c.SyscallConn()
	if rawErr != nil {
		return rawErr
	}
	if ctrl := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, value) }); ctrl != nil {
		return ctrl
	}
	return err
}

// mustSee is Seen that ends the test on an error.
func mustSee(t *testing.T, c, witness *net.UDPConn) netip.AddrPort {
	t.Helper()
	seen, err := Seen(c, witness)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// comesIn says whether a packet of a witness comes to a socket.
func comesIn(t *testing.T, witness, c *net.UDPConn, seen netip.AddrPort, within time.Duration) bool {
	t.Helper()
	if _, err := witness.WriteToUDPAddrPort([]byte("in"), seen); err != nil {
		t.Fatal(err)
	}
	_, err := receive(c, "in", within)
	return err == nil
}

// comes fails the test unless a packet of a witness comes in.
func comes(t *testing.T, what string, witness, c *net.UDPConn, seen netip.AddrPort) {
	t.Helper()
	if !comesIn(t, witness, c, seen, patience) {
		t.Errorf("%s: the hub does not come in by %v", what, seen)
	}
}

// staysOut fails the test if a packet of a witness comes in.
func staysOut(t *testing.T, what string, witness, c *net.UDPConn, seen netip.AddrPort) {
	t.Helper()
	if comesIn(t, witness, c, seen, silence) {
		t.Errorf("%s: the hub comes in by %v", what, seen)
	}
}
