package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
)

// goodbye is how long Close may take to get its last packets out.
const goodbye = time.Second

// Config says where and how to listen. It is not changed after Listen.
type Config struct {
	// Listen is the UDP address; [::] is dual stack, port 0 lets the system choose.
	Listen netip.AddrPort
	// ResetKey and TokenKey make stateless resets and address tokens. They must
	// survive a restart: that is how a peer notices one at once.
	ResetKey, TokenKey [32]byte
	Mark               uint32       // SO_MARK when not 0
	Carriers           Carriers     // which may be used; zero is all
	NoOffload          bool         // no UDP_GRO and no UDP_SEGMENT
	Logger             *slog.Logger // nil discards
}

// A Transport owns one UDP socket and everything that goes through it. It
// implements link.Network; all methods are safe for concurrent use.
type Transport struct {
	log      *slog.Logger
	sock     socket
	carriers Carriers
	directs  directs
	hints    *hints
	queue    *quicQueue
	batch    *batcher
	pace     *pacer
	door     *doorkeeper
	qt       *quic.Transport
	ln       *quic.Listener // nil: QUIC is switched off
	initials smallInitials
	count    counters
	dialler  dialler
	handler  atomic.Pointer[link.Handler]

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the reader, the hints, two goroutines a connection

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
}

var _ link.Network = (*Transport)(nil)

// Listen opens the socket and starts to read from it.
func Listen(c Config) (*Transport, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	sock, err := openSocket(c)
	if err != nil {
		return nil, err
	}
	return start(c, sock)
}

// start runs a Transport on an open socket, which it owns from here on.
func start(c Config, sock socket) (*Transport, error) {
	rc, err := sock.SyscallConn()
	if err != nil {
		sock.Close()
		return nil, fmt.Errorf("transport: %w", err)
	}
	reader, err := newBatchReader(sock, rc)
	if err != nil {
		sock.Close()
		return nil, fmt.Errorf("transport: %w", err)
	}
	t, err := newTransport(c, sock, rc)
	if err != nil {
		t.cancel()
		t.batch.close()
		sock.Close()
		return nil, fmt.Errorf("transport: %w", err)
	}
	t.wg.Add(1)
	go t.readLoop(reader)                             // ends with the socket; Close waits
	t.wg.Go(func() { t.hintLoop(newErrorQueue(rc)) }) // ends with ctx
	return t, nil
}

// newTransport joins the parts around a socket that nobody reads yet. On an
// error the batcher runs all the same.
func newTransport(c Config, sock socket, rc syscall.RawConn) (*Transport, error) {
	t := &Transport{log: c.Logger, sock: sock, carriers: c.Carriers, hints: newHints(), conns: make(map[*conn]struct{})}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.queue = newQUICQueue(&t.count)
	t.pace = newPacer()
	t.door = newDoorkeeper(&t.count)
	segment := !c.NoOffload && canSegment(rc)
	patient := patientSocket{sock, t.hints}
	t.directs.init(sock, rc, segment, t.hints, &t.count)
	t.batch = newBatcher(patient, segment, &t.count)
	resetKey, tokenKey := quic.StatelessResetKey(c.ResetKey), quic.TokenGeneratorKey(c.TokenKey)
	t.qt = &quic.Transport{
		Conn:                  &quicConn{sock: patient, queue: t.queue, batch: t.batch, pace: t.pace, count: &t.count},
		ConnectionIDGenerator: idGenerator{},
		StatelessResetKey:     &resetKey,
		TokenGeneratorKey:     &tokenKey,
		VerifySourceAddress:   t.door.verify,
	}
	if !c.Carriers.links(wire.LinkQUIC) {
		return t, nil
	}
	return t, t.listenQUIC()
}

func (t *Transport) listenQUIC() error {
	tlsConf, err := tlsConfig()
	if err != nil {
		return err
	}
	t.dialler = dialler{qt: t.qt, tls: tlsConf}
	conf := quicConfig(fullPacket)
	conf.GetConfigForClient = t.initials.configFor
	t.ln, err = t.qt.Listen(tlsConf, conf)
	return err
}

// Handle names the receiver of records.
func (t *Transport) Handle(h link.Handler) { t.handler.Store(&h) }

// Direct returns the direct path to remote: one object for equal remotes as long
// as somebody holds it. Nil when the carrier is switched off.
func (t *Transport) Direct(remote netip.AddrPort) link.Direct {
	if !t.carriers.Has(wire.CarrierDirect) {
		return nil
	}
	return t.directs.to(remote)
}

func (t *Transport) handlerOrNil() link.Handler {
	if h := t.handler.Load(); h != nil {
		return *h
	}
	return nil
}

// LocalAddr is the bound address, with the port the system chose.
func (t *Transport) LocalAddr() netip.AddrPort { return addrPort(t.sock.LocalAddr()) }

// Stats returns the counters since Listen.
func (t *Transport) Stats() Stats { return t.count.snapshot() }

// Dial connects to remote; see dialler. Errors: ErrNoAnswer, ErrPeerClosed (it
// refused), ErrNoDatagram, ErrNoHandler, ErrClosed, or the context's.
func (t *Transport) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	if l != wire.LinkQUIC || t.ln == nil {
		return nil, link.ErrOff
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	qc, err := t.dialler.dial(ctx, remote)
	if err != nil {
		err = connError(err)
		if errors.Is(err, ErrIdle) {
			err = ErrNoAnswer // idle during the handshake
		}
		return nil, fmt.Errorf("dial %s: %w", remote, t.closedOr(err))
	}
	return t.adopt(qc)
}

// Accept waits for a connection whose QUIC handshake is complete. One that ends
// or proves unfit meanwhile is skipped.
func (t *Transport) Accept(ctx context.Context) (link.Conn, error) {
	for {
		qc, err := t.ln.Accept(ctx)
		if err != nil {
			return nil, t.closedOr(connError(err))
		}
		c, err := t.adopt(qc)
		if err == nil {
			return c, nil
		}
		if err := t.closedOr(nil); err != nil {
			return nil, err
		}
		t.log.Debug("connection not accepted", "remote", qc.RemoteAddr(), "err", err)
	}
}

// closedOr is ErrClosed once the Transport is closed, else err.
func (t *Transport) closedOr(err error) error {
	if t.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// adopt makes a QUIC connection ours: its binding, its path, its goroutines.
func (t *Transport) adopt(qc *quic.Conn) (link.Conn, error) {
	c, err := newConn(qc, t.pace, &t.count)
	if err == nil {
		err = t.run(c)
	}
	if err != nil {
		_ = qc.CloseWithError(closeCode, "not usable")
		return nil, err
	}
	return c, nil
}

// run starts the connection's goroutines, which take it off the list at its end.
func (t *Transport) run(c *conn) error {
	h := t.handlerOrNil()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return ErrClosed
	case h == nil:
		return ErrNoHandler
	}
	t.conns[c] = struct{}{}
	t.wg.Go(c.path.sendLoop)
	t.wg.Go(func() {
		c.path.receiveLoop(h)
		t.forget(c)
	})
	return nil
}

func (t *Transport) forget(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}

// Close ends all connections, telling the peers, and waits until nothing of the
// Transport runs any more. The order matters: connections need QUIC to say
// goodbye, QUIC needs its queue to end, and the reader ends with the socket.
func (t *Transport) Close() error {
	t.mu.Lock()
	again := t.closed
	t.closed = true
	conns := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	if again {
		t.wg.Wait()
		return nil
	}
	t.cancel() // dials under way
	_ = t.sock.SetWriteDeadline(time.Now().Add(goodbye))
	for _, c := range conns {
		_ = c.Close("shutdown")
	}
	if t.ln != nil {
		_ = t.ln.Close()
		_ = t.qt.Close()
	}
	t.queue.close()
	t.batch.close() // the goodbyes are out
	err := t.sock.Close()
	t.wg.Wait()
	return err
}
