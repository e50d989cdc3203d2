package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/quicnet"
	"github.com/libertaria-project/l2tun/internal/net/spray"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/net/utcp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// goodbye is how long Close may take to get its last packets out.
const goodbye = time.Second

// A Transport owns one UDP socket and everything that goes through it, and a TCP
// listener. It implements link.Network; all methods are safe for concurrent use.
type Transport struct {
	conf   Config
	count  *counters
	udp    *udp.Socket
	quic   *quicnet.Endpoint
	utcp   *utcp.Door // nil: μTCP is switched off
	conns  *conns
	sides  sides
	spray  *spray.Sprayer
	accept sync.Once       // starts accepting
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

var (
	_ link.Network        = (*Transport)(nil)
	_ link.Checker        = (*Transport)(nil)
	_ link.EarlyDialer    = (*Transport)(nil)
	_ link.FreshDialer    = (*Transport)(nil)
	_ link.PathMTUReducer = (*Transport)(nil)
	_ side                = (*Transport)(nil)
)

// Listen opens the socket and starts to read from it.
func Listen(c Config) (*Transport, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	count := newCounters(c.Logger)
	p, err := openPorts(c, count)
	if err != nil {
		return nil, err
	}
	t, err := assemble(c, p, count, false)
	if err != nil {
		return nil, err
	}
	t.start()
	return t, nil
}

// assemble joins the rooms around open sockets, which it owns from here on. Nothing is
// read before start. A side takes no connections.
func assemble(c Config, p ports, count *counters, isSide bool) (*Transport, error) {
	sock, err := udp.New(p.udp, c.onUDP(count))
	if err != nil {
		p.close()
		return nil, fmt.Errorf("transport: %w", err)
	}
	t := &Transport{conf: c, count: count, udp: sock, conns: newConns(count.protect, sock.Handler)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.quic, err = quicnet.New(t.ctx, sock, quicnet.Options{Off: !c.Carriers.links(wire.LinkQUIC), DialOnly: isSide,
		NoDatagrams: !c.Carriers.Has(link.KindDatagram), ResetKey: c.ResetKey, TokenKey: c.TokenKey, Log: c.Logger, Count: &count.quic,
		Protect: count.protect, Start: t.conns.run, Incoming: t.conns.incoming})
	if err != nil {
		t.cancel()
		p.close()
		return nil, fmt.Errorf("transport: %w", err)
	}
	if p.tcp != nil {
		t.utcp = utcp.New(p.tcp, sock.LocalAddr().Addr(), utcp.Options{Mark: c.onUDP(count).Marker(), Log: c.Logger, Count: &count.utcp,
			Sources: t.quic.Strangers(), Protect: count.protect, Start: t.conns.run, Accepted: t.conns.welcome})
	}
	t.sides.open = t.openSide
	t.spray = t.newSprayer()
	return t, nil
}

// start begins to read.
func (t *Transport) start() { t.udp.Start(t.quic.Receiver()) }

// openSide opens a socket with everything that t has but listeners. Its port is its
// own, and nobody looks for it after this process.
func (t *Transport) openSide() (side, error) {
	conn, err := t.openPort()
	if err != nil {
		return nil, err
	}
	s, err := t.sideOn(conn)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// sideOn makes a side on an open socket, which it owns from here on.
func (t *Transport) sideOn(conn *net.UDPConn) (*Transport, error) {
	c := t.conf
	c.Listen = netaddr.PortOf(conn.LocalAddr())
	c.ResetKey, c.TokenKey = [32]byte{}, [32]byte{}
	s, err := assemble(c, ports{udp: conn}, t.count, true)
	if err != nil {
		return nil, err
	}
	if h := t.udp.Handler(); h != nil {
		s.Handle(h)
	}
	s.start()
	return s, nil
}

// Handle names the receiver of records.
func (t *Transport) Handle(h link.Handler) { t.udp.Handle(h) }

// Direct returns the direct path to remote: one object for equal remotes as long
// as somebody holds it. Nil when the carrier is switched off, and for a virtual address:
// the path through a circuit is its owner's.
func (t *Transport) Direct(remote netip.AddrPort) link.Direct {
	if isVirtual(remote) {
		return nil
	}
	if s := t.sides.towards(remote); s != nil {
		return s.Direct(remote)
	}
	return t.udp.Direct(remote)
}

// Check implements link.Checker.
func (t *Transport) Check(remote netip.AddrPort) error {
	if isVirtual(remote) {
		return t.checkVirtual(remote)
	}
	return t.udp.Check(remote)
}

// LocalAddr is the bound address, with the port the system chose.
func (t *Transport) LocalAddr() netip.AddrPort { return t.udp.LocalAddr() }

// Stats returns the counters since Listen.
func (t *Transport) Stats() Stats { return t.count.snapshot() }

// Resolve turns "host:port" into addresses, IPv4 unmapped and in the resolver's
// order. The port is a number.
func (t *Transport) Resolve(ctx context.Context, endpoint string) ([]netip.AddrPort, error) {
	return resolve(ctx, endpoint)
}

// Dial connects to remote; see quicnet and utcp.Door. Errors: link.ErrOff,
// ErrNoAnswer, ErrPeerClosed (it refused), ErrNoDatagram, ErrNoHandler, ErrClosed,
// or the context's. A μTCP connection shows itself to the peer with its first stream.
func (t *Transport) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (c link.Conn, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	switch {
	case isVirtual(remote):
		c, err = t.dialVirtual(ctx, l, remote)
	case l == wire.LinkQUIC && t.quic.On():
		if s := t.sides.reaching(remote); s != nil {
			defer t.sides.giveBack(s)
			return s.Dial(ctx, l, remote)
		}
		c, err = t.quic.Dial(ctx, remote)
	case l == wire.LinkUTCP && t.utcp != nil:
		c, err = t.dialUTCP(ctx, remote)
	default:
		err = link.ErrOff
	}
	if err == link.ErrOff {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", remote, t.closedOr(err))
	}
	return c, nil
}

// dialUTCP keeps a nil *utcp.Conn from becoming a link.Conn.
func (t *Transport) dialUTCP(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	c, err := t.utcp.Dial(ctx, remote)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// DialEarly begins a QUIC connection to a remote that gave us a ticket and
// returns before anything was heard of it. It implements link.EarlyDialer.
func (t *Transport) DialEarly(ctx context.Context, remote netip.AddrPort) (link.EarlyConn, error) {
	if isVirtual(remote) {
		return t.dialVirtualEarly(ctx, remote)
	}
	if s := t.sides.reaching(remote); s != nil {
		defer t.sides.giveBack(s)
		return s.DialEarly(ctx, remote)
	}
	return t.quic.DialEarly(ctx, remote)
}

// DialFresh implements link.FreshDialer.
func (t *Transport) DialFresh(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	switch {
	case isVirtual(remote): // a circuit has no ports
		return t.Dial(ctx, wire.LinkQUIC, remote)
	case !t.quic.On():
		return nil, link.ErrOff
	}
	return t.sides.dial(ctx, remote)
}

// ReducePathMTU implements link.PathMTUReducer for QUIC; TCP finds its size by itself.
func (t *Transport) ReducePathMTU(remote netip.AddrPort) { t.quic.ReducePathMTU(remote) }

// Accept waits for a connection: of QUIC, whose handshake is complete (or see
// link.Incomplete), or of TCP, on which the peer has opened a stream. Connections come
// in from the first call on. One of TCP is limited until its method Proven is called,
// which says that the peer has authenticated itself.
func (t *Transport) Accept(ctx context.Context) (link.Conn, error) {
	t.accept.Do(func() {
		t.conns.accept(t.quic.Accept, t.acceptVirtual)
		if t.utcp != nil {
			t.conns.accept(t.utcp.Accept)
		}
	})
	if err := t.closedOr(nil); err != nil {
		return nil, err
	}
	return t.conns.next(ctx, t.ctx.Done())
}

// closedOr is ErrClosed once the Transport is closed, else err.
func (t *Transport) closedOr(err error) error {
	if t.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// inUse reports whether there is a connection or a direct path.
func (t *Transport) inUse() bool { return t.conns.any() || t.udp.Held() }

func (t *Transport) done() <-chan struct{} { return t.ctx.Done() }

// Close ends all connections, telling the peers, and waits until nothing of the
// Transport runs any more. The order matters: connections need QUIC to say
// goodbye, QUIC needs its queue to end, and the reader ends with the socket.
func (t *Transport) Close() error {
	all, first := t.conns.end()
	if !first {
		t.conns.wg.Wait()
		return nil
	}
	t.cancel() // dials under way
	t.sides.close()
	if t.utcp != nil {
		_ = t.utcp.Close()
	}
	_ = t.udp.Patient().SetWriteDeadline(time.Now().Add(goodbye))
	for _, c := range all {
		_ = c.Close("shutdown")
	}
	t.quic.Close() // the goodbyes are out
	err := t.udp.Close()
	t.conns.wg.Wait()
	return err
}
