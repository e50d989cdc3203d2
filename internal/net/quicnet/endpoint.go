package quicnet

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

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
	*core
	sock          *udp.Socket
	batch         *batcher
	amplification *amplificationGuard
	initials      smallInitials
	conns         *connTable
	reduced       reducedMTUs
	abandoned     abandonment
	virtual       *Virtual // nil: it does not listen
}

// New makes an Endpoint on a socket, whose reader is to call Receiver. The end of ctx
// ends dials and what waits to be accepted; Close is to follow.
func New(ctx context.Context, sock *udp.Socket, o Options) (*Endpoint, error) {
	for _, key := range []*[32]byte{&o.ResetKey, &o.TokenKey} {
		if *key == ([32]byte{}) {
			rand.Read(key[:])
		}
	}
	e := &Endpoint{sock: sock, amplification: newAmplificationGuard()}
	e.core = newCore(ctx, &o, newPacketQueue(o.Count, queueSlots), newAdmission(newConnIDs(o.ResetKey), o.Count, e.amplification.isExempt), e.adopt)
	e.conns = newConnTable(e.amplification)
	e.batch = newBatcher(sock.Patient(), sock.Segments(), o.Count)
	if err := e.open(); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// newTransport is quic-go on a packet conn, with the keys of options.
func newTransport(o *Options, c net.PacketConn, a *admission) *quic.Transport {
	resetKey, tokenKey := quic.StatelessResetKey(o.ResetKey), quic.TokenGeneratorKey(o.TokenKey)
	return &quic.Transport{
		Conn:                  c,
		ConnectionIDGenerator: a.ids,
		StatelessResetKey:     &resetKey,
		TokenGeneratorKey:     &tokenKey,
		VerifySourceAddress:   a.verify,
		ConnContext:           a.unproven.enter,
	}
}

// packetConn is what quic-go has as its socket.
func (e *Endpoint) packetConn() *packetConn {
	return &packetConn{holds: &e.holds, sock: e.sock.Patient(), queue: e.queue, batch: e.batch, pace: e.pace, count: e.o.Count,
		amplification: e.amplification, abandoned: &e.abandoned, moved: e.conns.moved, resets: rate.NewLimiter(resetRate, resetRate)}
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
	e.dialler = dialler{qt: newTransport(e.o, e.packetConn(), e.admission), tls: tlsConf, tickets: new(tickets), size: e.reduced.size, exempt: e.amplification.exempt}
	if e.o.DialOnly {
		return nil
	}
	e.virtual = newVirtual(e.ctx, e.o, tlsConf, e.dialler.tickets)
	conf := quicConfig(fullPacket)
	conf.GetConfigForClient = e.configFor
	e.ln, err = e.dialler.qt.ListenEarly(tlsConf, conf)
	return err
}

// configFor answers a dialler with packets of its own size, or with small ones
// where we know the path MTU to it to be small.
func (e *Endpoint) configFor(info *quic.ClientInfo) (*quic.Config, error) {
	from := netaddr.PortOf(info.RemoteAddr)
	if e.initials.has(from) {
		return quicConfig(smallPacket), nil
	}
	return quicConfig(e.reduced.size(from)), nil
}

// On reports whether QUIC is switched on.
func (e *Endpoint) On() bool { return !e.o.Off }

// Receiver is what the reader of the socket calls with packets of QUIC; nil when QUIC
// is switched off.
func (e *Endpoint) Receiver() func([]udp.Packet) {
	if e.o.Off {
		return nil
	}
	return (&receiver{filter: newFilter(e.admission), queue: e.queue, amplification: e.amplification, initials: &e.initials}).receive
}

// Strangers is the book of connections whose peer has not proven itself, and of where
// peers have.
func (e *Endpoint) Strangers() Strangers { return Strangers{e.admission.unproven} }

// Virtual is QUIC through circuits; nil when the Endpoint does not listen.
func (e *Endpoint) Virtual() *Virtual { return e.virtual }

// ReducePathMTU makes dials to a remote begin with small packets, for a while.
func (e *Endpoint) ReducePathMTU(remote netip.AddrPort) { e.reduced.add(remote, time.Now()) }

// adopt makes a QUIC connection ours: its binding, its path, its goroutines.
func (e *Endpoint) adopt(qc *quic.Conn) (link.Conn, error) {
	c, err := newConn(qc, e.pace, e.o.NoDatagrams, e.o.Count)
	if err == nil {
		c.unproven, c.direct, c.abandon = e.admission.unproven, e.sock.Direct, &e.abandoned
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

// Close ends all connections and waits. The socket is its owner's; packets that QUIC
// says goodbye with are out.
func (e *Endpoint) Close() {
	e.stop()
	if e.virtual != nil {
		e.virtual.Close()
	}
	e.end()
	e.batch.close()
	e.wg.Wait()
}
