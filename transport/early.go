package transport

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// maxTickets is how many remotes a ticket is kept of.
const maxTickets = 256

// errNoTicket: nothing may be sent to this remote before the handshake.
var errNoTicket = errors.New("transport: no ticket for an early dial")

// tickets are what servers gave us for the next dial: one a remote, each used
// once, the oldest dropped first, in memory only.
type tickets struct {
	mu    sync.Mutex
	of    map[netip.AddrPort]ticket
	order []netip.AddrPort // oldest first, the keys of of
}

type ticket struct {
	state *tls.ClientSessionState
	size  uint16 // of the packets that got through
}

func (t *tickets) keep(remote netip.AddrPort, k ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(remote)
	if len(t.order) == maxTickets {
		t.drop(t.order[0])
	}
	if t.of == nil {
		t.of = make(map[netip.AddrPort]ticket)
	}
	t.of[remote] = k
	t.order = append(t.order, remote)
}

func (t *tickets) take(remote netip.AddrPort) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.of[remote]
	t.drop(remote)
	return k, ok
}

// drop forgets a remote; t.mu is held.
func (t *tickets) drop(remote netip.AddrPort) {
	if _, ok := t.of[remote]; !ok {
		return
	}
	delete(t.of, remote)
	for i, r := range t.order {
		if r == remote {
			t.order = append(t.order[:i], t.order[i+1:]...)
			return
		}
	}
}

// A ticketCache is the tls.ClientSessionCache of one dial.
type ticketCache struct {
	all    *tickets
	remote netip.AddrPort
	size   uint16
	mine   *tls.ClientSessionState // to resume; nil: a new TLS session
}

func (c *ticketCache) Get(string) (*tls.ClientSessionState, bool) { return c.mine, c.mine != nil }

func (c *ticketCache) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		c.all.keep(c.remote, ticket{s, c.size})
	}
}

// withTickets is the TLS side of one dial.
func (d *dialler) withTickets(remote netip.AddrPort, size uint16, mine *tls.ClientSessionState) *tls.Config {
	c := d.tls.Clone()
	c.ClientSessionCache = &ticketCache{&d.tickets, remote, size, mine}
	return c
}

// giveTickets lets a server hand out tickets under a key of this process, which
// is kept nowhere: after a restart diallers fall back to a whole handshake.
func giveTickets(c *tls.Config) error {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	c.SessionTicketsDisabled = false
	c.SetSessionTicketKeys([][32]byte{key})
	return nil
}

// DialEarly begins a QUIC connection to a remote that gave us a ticket and
// returns before anything was heard of it. It implements link.EarlyDialer.
func (t *Transport) DialEarly(ctx context.Context, remote netip.AddrPort) (link.EarlyConn, error) {
	if !t.dialsQUIC() {
		return nil, link.ErrOff
	}
	k, ok := t.dialler.tickets.take(remote)
	if !ok {
		return nil, errNoTicket
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	size := min(k.size, t.dialler.narrow.size(remote))
	conf := t.dialler.withTickets(remote, size, k.state)
	defer t.hold(remote)()
	done := t.amplification.exempt(remote)
	qc, err := t.qt.DialEarly(ctx, net.UDPAddrFromAddrPort(remote), conf, dialConfig(size))
	if err != nil {
		done()
		return nil, fmt.Errorf("dial %s early: %w", remote, t.closedOr(connError(err)))
	}
	context.AfterFunc(qc.Context(), done)
	st, err := newStream(qc.OpenStream())
	if err != nil {
		qc.CloseWithError(closeCode, "no stream")
		return nil, err
	}
	return &earlyConn{t, qc, st}, nil
}

// hold keeps handshakes to a remote from leaving until the function it returns is
// called. quic-go 0.65 replaces the remembered transport parameters by the peer's
// while OpenStream reads them, without a lock: no answer may come in before.
func (t *Transport) hold(remote netip.AddrPort) (release func()) {
	open := make(chan struct{})
	t.held.Store(remote, open)
	return func() {
		t.held.CompareAndDelete(remote, open)
		t.queue.pass()
		close(open)
	}
}

// An earlyConn is a connection that we dial and whose handshake is under way. It
// has no path: no record leaves on it.
type earlyConn struct {
	t  *Transport
	qc *quic.Conn
	st link.Stream
}

func (c *earlyConn) Stream() link.Stream { return c.st }

func (c *earlyConn) Close(reason string) error {
	return connError(c.qc.CloseWithError(closeCode, reason))
}

// Complete waits for the handshake. When the server did not take the ticket,
// what was sent is lost, the streams are dead, and the connection is as new.
func (c *earlyConn) Complete(ctx context.Context) (conn link.Conn, taken bool, err error) {
	select {
	case <-c.qc.HandshakeComplete():
	case <-c.qc.Context().Done():
		return nil, false, connError(context.Cause(c.qc.Context()))
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	if taken = c.qc.ConnectionState().Used0RTT; !taken {
		if _, err := c.qc.NextConnection(ctx); err != nil {
			return nil, false, connError(err)
		}
	}
	conn, err = c.t.adopt(c.qc)
	return conn, taken, err
}

// settle passes an accepted connection on once its handshake is complete, or at
// once if 0-RTT was used: then the TLS server has written its whole flight, and
// the exporter is final.
func (t *Transport) settle(qc *quic.Conn) {
	if p, ok := qc.Context().Value(placeKey{}).(*place); ok && !p.opened(func() { t.wg.Go(func() { qc.CloseWithError(closeCode, "busy") }) }) {
		_ = qc.CloseWithError(closeCode, "busy")
		return
	}
	if qc.ConnectionState().Used0RTT {
		t.wg.Go(func() { t.awaitHandshake(qc) })
	} else if !t.awaitHandshake(qc) {
		return
	}
	c, err := t.adopt(qc)
	if err != nil {
		t.log.Debug("connection not accepted", "remote", qc.RemoteAddr(), "err", err)
		return
	}
	select {
	case t.incoming <- c:
	case <-qc.Context().Done():
	case <-t.ctx.Done():
	}
}

// awaitHandshake waits until the handshake is complete, and lifts the amplification limit.
func (t *Transport) awaitHandshake(qc *quic.Conn) (complete bool) {
	select {
	case <-qc.HandshakeComplete():
		context.AfterFunc(qc.Context(), t.amplification.exempt(netaddr.PortOf(qc.RemoteAddr())))
		return true
	case <-qc.Context().Done():
		return false
	}
}

// Completed is closed when the handshake is complete. Before, anybody can be the
// sender of what is read: a replay.
func (c *conn) Completed() <-chan struct{} { return c.qc.HandshakeComplete() }
