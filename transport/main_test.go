package transport

import (
	"context"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type node struct {
	*Transport
	in *records.Inbox
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func testConfig(addr netip.AddrPort) Config {
	return Config{Listen: addr, ResetKey: [32]byte{1}, TokenKey: [32]byte{2}}
}

func startNode(t testing.TB, addr netip.AddrPort) *node {
	t.Helper()
	return startConfig(t, testConfig(addr))
}

func startConfig(t testing.TB, c Config) *node {
	t.Helper()
	tr, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	n := &node{tr, new(records.Inbox)}
	n.Handle(n.in)
	return n
}

// connect dials from a to b (through addr) and returns both ends.
func connect(t testing.TB, a, b *node, addr netip.AddrPort) (dialled, accepted link.Conn) {
	t.Helper()
	return records.Connect(t, b, func(ctx context.Context) (link.Conn, error) { return a.Dial(ctx, wire.LinkQUIC, addr) })
}

// connectFresh is connect from a port of the dial's own.
func connectFresh(t testing.TB, a, b *node) (dialled, accepted link.Conn) {
	t.Helper()
	return records.Connect(t, b, func(ctx context.Context) (link.Conn, error) { return a.DialFresh(ctx, b.LocalAddr()) })
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

// directPair is two nodes that know each other's records, and their paths.
func directPair(t testing.TB, ca, cb Config) (a, b *node, ab, ba link.Direct) {
	t.Helper()
	a, b = startConfig(t, ca), startConfig(t, cb)
	a.in.Know(records.New(32, 0))
	b.in.Know(records.New(32, 0))
	return a, b, a.Direct(b.LocalAddr()), b.Direct(a.LocalAddr())
}

func plainConfig(addr netip.AddrPort) Config {
	c := testConfig(addr)
	c.NoOffload = true
	return c
}
