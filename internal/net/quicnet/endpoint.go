package quicnet

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/udp"
)

// Options are what an Endpoint needs of its owner.
type Options struct {
	Off         bool     // neither dials nor listens; strangers of other links are counted all the same
	DialOnly    bool     // does not listen
	NoDatagrams bool     // the datagram carrier is switched off
	ResetKey    [32]byte // of stateless resets; zero: random
	TokenKey    [32]byte // of address tokens; zero: random
	Log         *slog.Logger
	Count       *Counters
	Protect     func(where string, f func()) bool                                // runs f and reports false if it met a defect of this program
	Start       func(c link.Conn, send func(), receive func(link.Handler)) error // runs a connection's goroutines
	Incoming    chan<- link.Conn                                                 // takes accepted connections
}

// An Endpoint dials and accepts QUIC connections on one socket. It is safe for
// concurrent use.
type Endpoint struct {
	o             Options
	sock          *udp.Socket
	ctx           context.Context // ends with Close
	cancel        context.CancelFunc
	mu            sync.Mutex     // held to cancel, and to add to wg
	wg            sync.WaitGroup // connections under way; see begin
	queue         *packetQueue
	batch         *batcher
	pace          *pacer
	amplification *amplificationGuard
	admission     *admission
	initials      smallInitials
	holds         holds
	conns         *connTable
	dialler       dialler
	qt            *quic.Transport
	ln            *quic.EarlyListener // nil: it does not listen
}

// New makes an Endpoint on a socket, whose reader is to call Receiver. The end of ctx
// ends dials and what waits to be accepted; Close is to follow.
func New(ctx context.Context, sock *udp.Socket, o Options) (*Endpoint, error) {
	e := &Endpoint{o: o, sock: sock, queue: newPacketQueue(o.Count), pace: newPacer(), amplification: newAmplificationGuard()}
	e.ctx, e.cancel = context.WithCancel(ctx)
	e.conns = newConnTable(e.amplification)
	for _, key := range []*[32]byte{&o.ResetKey, &o.TokenKey} {
		if *key == ([32]byte{}) {
			rand.Read(key[:])
		}
	}
	e.admission = newAdmission(newConnIDs(o.ResetKey), o.Count, e.amplification.isExempt)
	e.batch = newBatcher(sock.Patient(), sock.Segments(), o.Count)
	resetKey, tokenKey := quic.StatelessResetKey(o.ResetKey), quic.TokenGeneratorKey(o.TokenKey)
	e.qt = &quic.Transport{
		Conn:                  e.packetConn(),
		ConnectionIDGenerator: e.admission.ids,
		StatelessResetKey:     &resetKey,
		TokenGeneratorKey:     &tokenKey,
		VerifySourceAddress:   e.admission.verify,
		ConnContext:           e.admission.unproven.enter,
	}
	if err := e.open(); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// packetConn is what quic-go has as its socket.
func (e *Endpoint) packetConn() *packetConn {
	return &packetConn{holds: &e.holds, sock: e.sock.Patient(), queue: e.queue, batch: e.batch, pace: e.pace, count: e.o.Count,
		amplification: e.amplification, moved: e.conns.moved, resets: rate.NewLimiter(resetRate, resetRate)}
}

// open makes the Endpoint ready to dial, and to listen.
func (e *Endpoint) open() error {
	if e.o.Off {
		return nil
	}
	tlsConf, err := tlsConfig()
	if err != nil {
		return err
	}
	e.dialler.qt, e.dialler.tls, e.dialler.amplification = e.qt, tlsConf, e.amplification
	if e.o.DialOnly {
		return nil
	}
	conf := quicConfig(fullPacket)
	conf.GetConfigForClient = e.configFor
	e.ln, err = e.qt.ListenEarly(tlsConf, conf)
	return err
}

// configFor answers a dialler with packets of its own size, or with small ones
// where we know the path MTU to it to be small.
func (e *Endpoint) configFor(info *quic.ClientInfo) (*quic.Config, error) {
	from := netaddr.PortOf(info.RemoteAddr)
	if e.initials.has(from) {
		return quicConfig(smallPacket), nil
	}
	return quicConfig(e.dialler.reduced.size(from)), nil
}

// On reports whether QUIC is switched on.
func (e *Endpoint) On() bool { return !e.o.Off }

// Receiver is what the reader of the socket calls with packets of QUIC; nil when QUIC
// is switched off.
func (e *Endpoint) Receiver() func([]udp.Packet) {
	if e.o.Off {
		return nil
	}
	return (&receiver{queue: e.queue, admission: e.admission, amplification: e.amplification, initials: &e.initials,
		count: e.o.Count, own: idCheck{ids: e.admission.ids}}).receive
}

// Strangers is the book of connections whose peer has not proven itself, and of where
// peers have.
func (e *Endpoint) Strangers() Strangers { return Strangers{e.admission.unproven} }

// ReducePathMTU makes dials to a remote begin with small packets, for a while.
func (e *Endpoint) ReducePathMTU(remote netip.AddrPort) { e.dialler.reduced.add(remote, time.Now()) }

// Dial connects to remote; see dialler. Errors: cause.ErrNoAnswer, cause.ErrPeerClosed
// (it refused), ErrNoDatagram, those of Options.Start, or the context's.
func (e *Endpoint) Dial(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	qc, err := e.dialler.dial(ctx, remote)
	if err == nil {
		return e.adopt(qc)
	}
	if err = connError(err); errors.Is(err, cause.ErrIdle) {
		err = cause.ErrNoAnswer // idle during the handshake
	}
	return nil, err
}

// adopt makes a QUIC connection ours: its binding, its path, its goroutines.
func (e *Endpoint) adopt(qc *quic.Conn) (link.Conn, error) {
	c, err := newConn(qc, e.pace, e.o.NoDatagrams, e.o.Count)
	if err == nil {
		c.unproven, c.direct = e.admission.unproven, e.sock.Direct
		e.conns.add(c)
		err = e.o.Start(c, c.path.sendLoop, func(h link.Handler) {
			defer e.conns.remove(c)
			c.path.receiveLoop(h)
		})
		if err != nil {
			e.conns.remove(c)
		}
	}
	if err != nil {
		_ = qc.CloseWithError(closeCode, "not usable")
		return nil, err
	}
	return c, nil
}

// DialEarly implements link.EarlyDialer: it begins a connection to a remote that gave
// us a ticket and returns before anything was heard of it.
func (e *Endpoint) DialEarly(ctx context.Context, remote netip.AddrPort) (link.EarlyConn, error) {
	if e.o.Off {
		return nil, link.ErrOff
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	qc, st, err := e.dialler.dialEarly(ctx, remote, func() (release func()) { return e.holds.hold(remote, e.queue) })
	switch {
	case err == nil:
		return &earlyConn{qc, st, e.adopt}, nil
	case e.ctx.Err() != nil:
		err = cause.ErrClosed
	}
	return nil, err
}

// Close ends all connections and waits. The socket is its owner's; packets that QUIC
// says goodbye with are out. The order matters: connections need QUIC for that, and
// QUIC needs its queue to end.
func (e *Endpoint) Close() {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	if e.ln != nil {
		_ = e.ln.Close()
	}
	if e.dialler.qt != nil {
		_ = e.qt.Close()
	}
	e.queue.close()
	e.batch.close()
	e.wg.Wait()
}
