package quicnet

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/test/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A node is an Endpoint with a socket and an owner: what transport is in the product.
type node struct {
	*Endpoint
	sock     *udp.Socket
	in       *records.Inbox
	count    *Counters
	heard    *udp.Counters
	incoming chan link.Conn
	accept   sync.Once
	conns    sync.WaitGroup
}

// resetKey is that of all nodes.
var resetKey = [32]byte{1}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func startNode(t testing.TB, addr netip.AddrPort) *node {
	t.Helper()
	o := udp.Options{Listen: addr, Log: slog.New(slog.DiscardHandler)}
	c, err := udp.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, c, o)
}

// startOn is a node on an open conn.
func startOn(t testing.TB, c udp.Conn, o udp.Options) *node {
	t.Helper()
	n := &node{in: new(records.Inbox), count: new(Counters), heard: new(udp.Counters), incoming: make(chan link.Conn, 64)}
	o.Count = n.heard
	var err error
	if n.sock, err = udp.New(c, o); err != nil {
		t.Fatal(err)
	}
	n.Endpoint, err = New(context.Background(), n.sock, Options{ResetKey: resetKey, TokenKey: [32]byte{2}, Log: o.Log, Count: n.count,
		Protect: func(_ string, f func()) bool { f(); return true }, Start: n.run, Incoming: n.incoming})
	if err != nil {
		t.Fatal(err)
	}
	n.sock.Handle(n.in)
	n.sock.Start(n.Receiver())
	t.Cleanup(n.Close)
	return n
}

func (n *node) run(_ link.Conn, send func(), receive func(link.Handler)) error {
	n.conns.Go(send)
	n.conns.Go(func() { receive(n.sock.Handler()) })
	return nil
}

// Accept is as Transport's.
func (n *node) Accept(ctx context.Context) (link.Conn, error) {
	n.accept.Do(func() { n.conns.Go(n.Endpoint.Accept) })
	select {
	case c := <-n.incoming:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.ctx.Done():
		return nil, errors.New("the node is closed")
	}
}

func (n *node) Handle(h link.Handler) { n.sock.Handle(h) }

func (n *node) LocalAddr() netip.AddrPort { return n.sock.LocalAddr() }

func (n *node) Close() {
	n.Endpoint.Close()
	n.sock.Close()
	n.conns.Wait()
}

// connect dials from a to b (through addr) and returns both ends.
func connect(t testing.TB, a, b *node, addr netip.AddrPort) (dialled, accepted link.Conn) {
	t.Helper()
	return records.Connect(t, b, func(ctx context.Context) (link.Conn, error) { return a.Dial(ctx, addr) })
}

// pair is two nodes on loopback and a connection between them.
func pair(t testing.TB) (a, b *node, ca, cb link.Conn) {
	t.Helper()
	a, b = startNode(t, loopback), startNode(t, loopback)
	ca, cb = connect(t, a, b, b.LocalAddr())
	return
}

// wantTraffic proves that a connection works both ways.
func wantTraffic(t testing.TB, a, b *node, ca, cb link.Conn) {
	t.Helper()
	records.BothWays(t, ca, cb, a.in, b.in)
}
