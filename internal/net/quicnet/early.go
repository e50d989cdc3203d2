package quicnet

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// maxTickets is how many remotes a ticket is kept of.
const maxTickets = 256

// errNoTicket: nothing may be sent to this remote before the handshake.
var errNoTicket = errors.New("transport: no ticket for an early dial")

// tickets are what servers gave us for the next dial: one a remote, each used
// once, the oldest dropped first, in memory only. A circuit's remote is of no use to
// the next circuit or to the direct path, so its ticket serves the peer.
type tickets struct {
	mu    sync.Mutex
	of    map[netip.AddrPort]ticket
	order []netip.AddrPort // oldest first, the keys of of
}

type ticket struct {
	state *tls.ClientSessionState
	size  uint16                // of the packets that got through; 0: a circuit's, which says nothing of others
	peer  [wire.DigestSize]byte // whom the dial was for; zero: not named
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

// take takes the ticket for a dial to a remote, which is for a peer if that is not
// zero: the remote's own, else the newest of the peer if a circuit gave it or is dialled.
func (t *tickets) take(remote netip.AddrPort, peer [wire.DigestSize]byte) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := remote
	if _, ok := t.of[remote]; !ok && peer != [wire.DigestSize]byte{} {
		from = t.newest(peer, !netaddr.IsVirtual(remote.Addr()))
	}
	k, ok := t.of[from]
	t.drop(from)
	return k, ok
}

// newest is the remote that gave the newest ticket of a peer, if wanted among circuits
// alone; zero: there is none. t.mu is held.
func (t *tickets) newest(peer [wire.DigestSize]byte, circuits bool) netip.AddrPort {
	for _, r := range slices.Backward(t.order) {
		if t.of[r].peer == peer && (netaddr.IsVirtual(r.Addr()) || !circuits) {
			return r
		}
	}
	return netip.AddrPort{}
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
	next   ticket                  // what is kept, without its state
	mine   *tls.ClientSessionState // to resume; nil: a new TLS session
}

func (c *ticketCache) Get(string) (*tls.ClientSessionState, bool) { return c.mine, c.mine != nil }

func (c *ticketCache) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		k := c.next
		k.state = s
		c.all.keep(c.remote, k)
	}
}

// withTickets is the TLS side of one dial with packets of a size.
func (d *dialler) withTickets(ctx context.Context, remote netip.AddrPort, size uint16, mine *tls.ClientSessionState) *tls.Config {
	c := d.tls.Clone()
	if netaddr.IsVirtual(remote.Addr()) {
		size = 0
	}
	c.ClientSessionCache = &ticketCache{d.tickets, remote, ticket{size: size, peer: link.DialedFor(ctx)}, mine}
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

// dialEarly begins a connection for which we have a ticket, and its stream.
// Handshakes to the remote are held meanwhile.
func (d *dialler) dialEarly(ctx context.Context, remote netip.AddrPort, hold func() (release func())) (*quic.Conn, link.Stream, error) {
	k, ok := d.tickets.take(remote, link.DialedFor(ctx))
	if !ok {
		return nil, nil, errNoTicket
	}
	size := d.size(remote)
	if k.size != 0 {
		size = min(k.size, size)
	}
	conf := d.withTickets(ctx, remote, size, k.state)
	defer hold()()
	done := d.exempt(remote)
	qc, err := d.qt.DialEarly(ctx, net.UDPAddrFromAddrPort(remote), conf, dialConfig(size))
	if err != nil {
		done()
		return nil, nil, connError(err)
	}
	context.AfterFunc(qc.Context(), done)
	st, err := newStream(qc.OpenStream())
	if err != nil {
		qc.CloseWithError(closeCode, "no stream")
		return nil, nil, err
	}
	return qc, st, nil
}

// An earlyConn is a connection that we dial and whose handshake is under way. It
// has no path: no record leaves on it.
type earlyConn struct {
	qc    *quic.Conn
	st    link.Stream
	adopt func(*quic.Conn) (link.Conn, error) // of the Endpoint
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
	conn, err = c.adopt(c.qc)
	return conn, taken, err
}
