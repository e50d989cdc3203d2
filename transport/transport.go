package transport

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/net/utcp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// goodbye is how long Close may take to get its last packets out.
	goodbye = time.Second
	// maxIncoming is how many connections wait for Accept.
	maxIncoming = 64
)

// Config says where and how to listen. It is not changed after Listen.
type Config struct {
	// Listen is the UDP and TCP address; [::] is dual stack, port 0 lets the
	// system choose.
	Listen netip.AddrPort
	// ResetKey and TokenKey make stateless resets and address tokens. They should
	// survive a restart of the process, which is how a peer notices one at once, and
	// nothing else: whoever gets a reset can recognise the key. Zero: random.
	ResetKey, TokenKey [32]byte
	Mark               uint32       // SO_MARK when not 0
	Carriers           Carriers     // which may be used; zero is all
	NoOffload          bool         // no UDP_GRO and no UDP_SEGMENT
	Logger             *slog.Logger // nil discards

	side *Transport // this one is a side of it; see sides
}

// A Transport owns one UDP socket and everything that goes through it. It
// implements link.Network; all methods are safe for concurrent use.
type Transport struct {
	log           *slog.Logger
	udp           *udp.Socket
	carriers      Carriers
	queue         *quicQueue
	batch         *batcher
	pace          *pacer
	admission     *admission
	qt            *quic.Transport
	ln            *quic.EarlyListener // nil: QUIC is switched off, or this is a side
	initials      smallInitials
	amplification *amplificationGuard
	moves         *rate.Limiter // see moved
	count         *counters
	dialler       dialler
	held          sync.Map   // remote netip.AddrPort -> chan struct{}: see hold
	utcp          *utcp.Door // nil: μTCP is switched off
	conf          Config
	sides         sides

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // two goroutines a connection, two that accept

	accept   sync.Once      // starts accepting
	incoming chan link.Conn // for Accept

	mu     sync.Mutex
	conns  map[link.Conn]struct{}
	closed bool
}

var (
	_ link.Network = (*Transport)(nil)
	_ link.Checker = (*Transport)(nil)
)

// Listen opens the socket and starts to read from it.
func Listen(c Config) (*Transport, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	conn, tcp, err := openPorts(c)
	if err != nil {
		return nil, err
	}
	return start(c, conn, tcp)
}

// start runs a Transport on open sockets, which it owns from here on. Without a
// TCP listener there is no μTCP.
func start(c Config, conn udp.Conn, tcp *net.TCPListener) (*Transport, error) {
	t, err := assemble(c, conn, tcp)
	if err != nil {
		conn.Close()
		if tcp != nil {
			tcp.Close()
		}
		return nil, fmt.Errorf("transport: %w", err)
	}
	var quic func([]udp.Packet)
	if t.dialsQUIC() {
		quic = (&receiver{t, idCheck{ids: t.admission.ids}}).receive
	}
	t.udp.Start(quic)
	return t, nil
}

func assemble(c Config, conn udp.Conn, tcp *net.TCPListener) (*Transport, error) {
	t, err := newTransport(c, conn)
	if err != nil {
		if t != nil {
			t.cancel()
			t.batch.close()
		}
		return nil, err
	}
	t.openUTCP(c, tcp)
	return t, nil
}

// onUDP is what the UDP socket is to know of a config.
func (c Config) onUDP(count *counters) udp.Options {
	return udp.Options{Listen: c.Listen, Mark: c.Mark, NoOffload: c.NoOffload, NoDirect: !c.Carriers.Has(link.KindDirect),
		Log: c.Logger, Guard: count.guard, Count: &count.udp}
}

// newTransport joins the parts around a socket that nobody reads yet. With an
// error and a Transport the batcher runs all the same.
func newTransport(c Config, conn udp.Conn) (*Transport, error) {
	count := &counters{guard: guard.New(c.Logger)}
	if c.side != nil {
		count = c.side.count
	}
	sock, err := udp.New(conn, c.onUDP(count))
	if err != nil {
		return nil, err
	}
	t := &Transport{conf: c, log: c.Logger, udp: sock, carriers: c.Carriers, count: count,
		incoming: make(chan link.Conn, maxIncoming), conns: make(map[link.Conn]struct{})}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if c.side != nil {
		if h := c.side.udp.Handler(); h != nil {
			sock.Handle(h)
		}
	}
	t.queue = newQUICQueue(t.count)
	t.pace = newPacer()
	t.amplification = newAmplificationGuard()
	t.moves = rate.NewLimiter(movesRate, movesRate)
	t.admission = newAdmission(t.count, t.amplification.isExempt)
	patient := sock.Patient()
	t.batch = newBatcher(patient, sock.Segments(), t.count)
	if c.side != nil { // its port is its own, and nobody looks for it after this process
		c.ResetKey, c.TokenKey = [32]byte{}, [32]byte{}
	}
	for _, key := range []*[32]byte{&c.ResetKey, &c.TokenKey} {
		if *key == ([32]byte{}) {
			rand.Read(key[:])
		}
	}
	t.admission.ids = newConnIDs(c.ResetKey)
	resetKey, tokenKey := quic.StatelessResetKey(c.ResetKey), quic.TokenGeneratorKey(c.TokenKey)
	t.qt = &quic.Transport{
		Conn:                  &quicConn{held: &t.held, sock: patient, queue: t.queue, batch: t.batch, pace: t.pace, count: t.count, amplification: t.amplification, moved: t.moved, resets: rate.NewLimiter(resetRate, resetRate)},
		ConnectionIDGenerator: t.admission.ids,
		StatelessResetKey:     &resetKey,
		TokenGeneratorKey:     &tokenKey,
		VerifySourceAddress:   t.admission.verify,
		ConnContext:           t.admission.unproven.enter,
	}
	if !c.Carriers.links(wire.LinkQUIC) {
		return t, nil
	}
	return t, t.listenQUIC()
}

// dialsQUIC reports whether QUIC is switched on.
func (t *Transport) dialsQUIC() bool { return t.dialler.qt != nil }

func (t *Transport) listenQUIC() error {
	tlsConf, err := tlsConfig()
	if err != nil {
		return err
	}
	t.dialler.qt, t.dialler.tls, t.dialler.amplification = t.qt, tlsConf, t.amplification
	if t.conf.side != nil {
		return nil
	}
	conf := quicConfig(fullPacket)
	conf.GetConfigForClient = t.configFor
	t.ln, err = t.qt.ListenEarly(tlsConf, conf)
	return err
}

// Handle names the receiver of records.
func (t *Transport) Handle(h link.Handler) { t.udp.Handle(h) }

// Direct returns the direct path to remote: one object for equal remotes as long
// as somebody holds it. Nil when the carrier is switched off.
func (t *Transport) Direct(remote netip.AddrPort) link.Direct { return t.udp.Direct(remote) }

// Check implements link.Checker.
func (t *Transport) Check(remote netip.AddrPort) error { return t.udp.Check(remote) }

// LocalAddr is the bound address, with the port the system chose.
func (t *Transport) LocalAddr() netip.AddrPort { return t.udp.LocalAddr() }

// Stats returns the counters since Listen.
func (t *Transport) Stats() Stats { return t.count.snapshot() }

// Close ends all connections, telling the peers, and waits until nothing of the
// Transport runs any more. The order matters: connections need QUIC to say
// goodbye, QUIC needs its queue to end, and the reader ends with the socket.
func (t *Transport) Close() error {
	t.mu.Lock()
	again := t.closed
	t.closed = true
	conns := make([]link.Conn, 0, len(t.conns))
	for c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	if again {
		t.wg.Wait()
		return nil
	}
	t.cancel() // dials under way
	t.closeSides()
	if t.utcp != nil {
		_ = t.utcp.Close()
	}
	_ = t.udp.Patient().SetWriteDeadline(time.Now().Add(goodbye))
	for _, c := range conns {
		_ = c.Close("shutdown")
	}
	if t.ln != nil {
		_ = t.ln.Close()
	}
	if t.dialsQUIC() {
		_ = t.qt.Close()
	}
	t.queue.close()
	t.batch.close() // the goodbyes are out
	err := t.udp.Close()
	t.wg.Wait()
	return err
}
