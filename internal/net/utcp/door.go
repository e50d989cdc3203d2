package utcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/lograte"
	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

const (
	// notSent is how much of what is written may wait in the kernel. Without it
	// TCP would queue seconds of records in front of a heartbeat.
	notSent = 128 << 10
	// userTimeout ends a connection whose peer acknowledges nothing.
	userTimeout = 10 * time.Second
	// connectTime is how long TCP may take to connect.
	connectTime = 5 * time.Second
	// goodbye is how long Close may take to get its last bytes out.
	goodbye = time.Second
)

// Counters count records, and connections of strangers.
type Counters struct {
	Full    atomic.Uint64 // records refused because the queue of their connection was full
	Old     atomic.Uint64 // records and circuit datagrams that waited longer than 100 ms
	Refused atomic.Uint64 // connections that were refused a place, or lost it to another
}

// Sources knows from where peers have proven themselves, by any link.
type Sources interface {
	Remembers(netip.Addr) bool        // whether a peer has, lately
	More(netip.Addr) int              // places for strangers beside the peers that are connected from there
	Learn(netip.Addr)                 // a peer has
	Connect(netip.Addr) (gone func()) // an accepted connection is a peer's, until gone is called
}

// Options are what a Door needs of its owner. All but Mark are required.
type Options struct {
	Mark     func(fd int) // sets the socket mark before a socket listens or connects
	Log      *slog.Logger
	Count    *Counters
	Sources  Sources
	Protect  func(where string, f func()) bool                                // runs f and reports false if it met a defect of this program
	Start    func(c link.Conn, send func(), receive func(link.Handler)) error // runs a connection's goroutines
	Accepted func(link.Conn) error                                            // takes an accepted connection whose first message begins; must not block
}

// A Door makes and takes TCP connections. It is safe for concurrent use.
type Door struct {
	Options
	ln      *net.TCPListener
	dialler net.Dialer
	limits  strangers
}

// tcpKeepAlive finds out about a peer that is gone while nothing is sent.
func tcpKeepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: link.KindUTCP.Keepalive, Interval: 5 * time.Second, Count: 3}
}

// Listen opens the TCP socket for a Door. mark may be nil.
func Listen(at netip.AddrPort, mark func(fd int)) (*net.TCPListener, error) {
	lc := net.ListenConfig{KeepAliveConfig: tcpKeepAlive(), Control: control(mark)}
	lc.SetMultipathTCP(false) // it has no limit of what waits unsent
	ln, err := lc.Listen(context.Background(), netaddr.Network("tcp", at.Addr()), at.String())
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	return ln.(*net.TCPListener), nil
}

func control(mark func(fd int)) func(network, address string, rc syscall.RawConn) error {
	return func(_, _ string, rc syscall.RawConn) error { return setOptions(rc, mark) }
}

// New makes a Door on a listener, which it owns from here on. local is the address
// that its connections leave from.
func New(ln *net.TCPListener, local netip.Addr, o Options) *Door {
	d := &Door{Options: o, ln: ln, limits: strangers{remembers: o.Sources.Remembers, more: o.Sources.More}}
	d.dialler = net.Dialer{Timeout: connectTime, KeepAliveConfig: tcpKeepAlive(), Control: control(o.Mark)}
	d.dialler.SetMultipathTCP(false)
	if !local.IsUnspecified() {
		d.dialler.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return d
}

// Close ends Accept. Connections stay.
func (d *Door) Close() error { return d.ln.Close() }

// Dial opens a connection, which shows itself to the peer with its first stream.
// Errors: cause.ErrNoAnswer, ErrPeerClosed (it refused), or the context's.
func (d *Door) Dial(ctx context.Context, remote netip.AddrPort) (*Conn, error) {
	nc, err := d.dialler.DialContext(ctx, "tcp", remote.String())
	if err != nil {
		return nil, dialError(ctx, err)
	}
	c, err := d.newConn(nc.(*net.TCPConn), true)
	if err == nil {
		err = d.start(c)
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

func (d *Door) newConn(nc *net.TCPConn, dialled bool) (*Conn, error) {
	return newConn(nc, dialled, d.Count, d.Protect, d.Sources.Learn)
}

func (d *Door) start(c *Conn) error { return d.Start(c, c.writeLoop, c.readLoop) }

// dialError tells the caller's end from silence and from a refusal.
func dialError(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &timeout) && timeout.Timeout():
		return cause.ErrNoAnswer
	}
	return tcpError(err)
}

// Rate limit of the log's lines about connections that cannot be accepted: without
// descriptors each try fails.
const (
	acceptBurst = 5
	acceptEvery = 10 * time.Second
)

// Accept takes connections until Close.
func (d *Door) Accept() {
	lines := lograte.Limiter{Burst: acceptBurst, Every: acceptEvery}
	for {
		nc, err := d.ln.AcceptTCP()
		if cause.IsClosed(err) {
			return
		}
		if err != nil {
			if suppressed, ok := lines.Allow(time.Now()); ok {
				d.Log.Warn("accepting TCP", "err", err, "suppressed", suppressed)
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors, mostly
			continue
		}
		if netaddr.IsVirtual(netaddr.PortOf(nc.RemoteAddr()).Addr()) { // forged: it would pass for a circuit
			_ = nc.Close()
			continue
		}
		if err := d.admit(nc); err != nil {
			d.Log.Debug("TCP connection not accepted", "remote", nc.RemoteAddr(), "err", err)
			_ = nc.Close()
		}
	}
}

// errMadeRoom: the place of a stranger went to another one.
var errMadeRoom = errors.New("transport: too many strangers, and this one was silent or slow")

// admit takes a stranger in, if there is a place for it. It has helloTime to begin
// its first message; the owner gets it then.
func (d *Door) admit(nc *net.TCPConn) error {
	c, err := d.newConn(nc, false)
	if err != nil {
		return err
	}
	_ = nc.SetReadDeadline(time.Now().Add(helloTime))
	place := d.limits.enter(c.remote.Addr(), time.Now(), func() {
		d.Count.Refused.Add(1)
		c.end(errMadeRoom, "")
	})
	if place == nil {
		d.Count.Refused.Add(1)
		return errors.New("too many strangers")
	}
	c.connect = d.Sources.Connect
	c.setRelease(func() { d.limits.leave(place) })
	c.hello = func(c *Conn) error {
		d.limits.begins(place)
		c.begun()
		return d.Accepted(c)
	}
	if err := d.start(c); err != nil {
		d.limits.leave(place)
		return err
	}
	return nil
}
