package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// notSent is how much of what is written may wait in the kernel. Without it
	// TCP would queue seconds of records in front of a heartbeat.
	notSent = 128 << 10
	// userTimeout ends a connection whose peer acknowledges nothing.
	userTimeout = 10 * time.Second
	// connectTime is how long TCP may take to connect.
	connectTime = 5 * time.Second
	// portTries is how often a free port is drawn that both UDP and TCP can have.
	portTries = 16
)

// tcpKeepAlive finds out about a peer that is gone while nothing is sent.
func tcpKeepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: link.KindUTCP.Keepalive, Interval: 5 * time.Second, Count: 3}
}

// A utcpDoor makes and takes TCP connections.
type utcpDoor struct {
	ln      *net.TCPListener // nil: μTCP is switched off
	dialler net.Dialer
	limits  strangers
}

// listenTCP listens on the address of the UDP socket.
func listenTCP(c Config, addr netip.AddrPort) (*net.TCPListener, error) {
	lc := net.ListenConfig{KeepAliveConfig: tcpKeepAlive(), Control: func(_, _ string, rc syscall.RawConn) error {
		return setTCPOptions(rc, c)
	}}
	lc.SetMultipathTCP(false) // it has no limit of what waits unsent
	ln, err := lc.Listen(context.Background(), tcpNetwork(addr.Addr()), addr.String())
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	return ln.(*net.TCPListener), nil
}

func tcpNetwork(a netip.Addr) string { return strings.Replace(network(a), "udp", "tcp", 1) }

func wantsUTCP(c Config) bool { return utcpWorks && c.Carriers.links(wire.LinkUTCP) }

// openPorts opens the UDP socket and, if μTCP is wanted, the TCP listener with the
// same port number. A port that the system chose for one may be taken for the other.
func openPorts(c Config) (udp *net.UDPConn, tcp *net.TCPListener, err error) {
	for range portTries {
		udp, err = openSocket(c)
		if err != nil || !wantsUTCP(c) {
			return udp, nil, err
		}
		tcp, err = listenTCP(c, addrPort(udp.LocalAddr()))
		if err == nil {
			return udp, tcp, nil
		}
		udp.Close()
		if c.Listen.Port() != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, nil, err
}

// init readies the door; local is the address that connections leave from.
func (d *utcpDoor) init(c Config, ln *net.TCPListener, local netip.Addr) {
	d.ln = ln
	d.dialler = net.Dialer{Timeout: connectTime, KeepAliveConfig: tcpKeepAlive(), Control: func(_, _ string, rc syscall.RawConn) error {
		return setTCPOptions(rc, c)
	}}
	d.dialler.SetMultipathTCP(false)
	if !local.IsUnspecified() {
		d.dialler.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
}

func (d *utcpDoor) dial(ctx context.Context, remote netip.AddrPort) (*net.TCPConn, error) {
	nc, err := d.dialler.DialContext(ctx, "tcp", remote.String())
	if err != nil {
		return nil, dialError(ctx, err)
	}
	return nc.(*net.TCPConn), nil
}

// dialError tells the caller's end from silence and from a refusal.
func dialError(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &timeout) && timeout.Timeout():
		return ErrNoAnswer
	}
	return tcpError(err)
}

// acceptTCP takes TCP connections until the listener is closed.
func (t *Transport) acceptTCP() {
	for {
		nc, err := t.utcp.ln.AcceptTCP()
		if isClosed(err) {
			return
		}
		if err != nil {
			t.log.Warn("accepting TCP", "err", err)
			time.Sleep(10 * time.Millisecond) // out of descriptors, mostly
			continue
		}
		if err := t.admit(nc); err != nil {
			t.log.Debug("TCP connection not accepted", "remote", nc.RemoteAddr(), "err", err)
			_ = nc.Close()
		}
	}
}

// errMadeRoom: the place of a stranger went to another one.
var errMadeRoom = errors.New("transport: too many strangers, and this one was silent or slow")

// admit takes a stranger in, if there is a place for it. It has helloTime to begin
// its first message; Accept returns it then.
func (t *Transport) admit(nc *net.TCPConn) error {
	c, err := newUTCPConn(nc, false, t.count, t.learn)
	if err != nil {
		return err
	}
	_ = nc.SetReadDeadline(time.Now().Add(helloTime))
	place := t.utcp.limits.enter(c.remote.Addr(), time.Now(), func() {
		t.count.utcpRefused.Add(1)
		c.end(errMadeRoom, "")
	})
	if place == nil {
		t.count.utcpRefused.Add(1)
		return errors.New("too many strangers")
	}
	c.connect = t.door.unproven.connect
	c.setRelease(func() { t.utcp.limits.leave(place) })
	c.hello = func(c *utcpConn) error {
		t.utcp.limits.begins(place)
		return t.welcome(c)
	}
	if err := t.runUTCP(c); err != nil {
		t.utcp.limits.leave(place)
		return err
	}
	return nil
}

// learn remembers where a peer has proven itself.
func (t *Transport) learn(a netip.Addr) { t.door.unproven.learn(a, time.Now()) }

// welcome hands a connection that has begun well to Accept.
func (t *Transport) welcome(c *utcpConn) error {
	c.begun()
	select {
	case t.incoming <- c:
		return nil
	default:
		return errors.New("transport: nobody accepts connections")
	}
}

// runUTCP starts a connection's goroutines.
func (t *Transport) runUTCP(c *utcpConn) error {
	return t.run(c, c.writeLoop, c.readLoop)
}

// dialUTCP opens a TCP connection.
func (t *Transport) dialUTCP(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	nc, err := t.utcp.dial(ctx, remote)
	if err != nil {
		return nil, err
	}
	c, err := newUTCPConn(nc, true, t.count, t.learn)
	if err == nil {
		err = t.runUTCP(c)
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}
