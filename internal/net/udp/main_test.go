package udp

import (
	"log/slog"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A node is a Socket with a Handler that keeps what comes.
type node struct {
	*Socket
	in    *records.Inbox
	count *Counters
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func testOptions(addr netip.AddrPort) Options {
	return Options{Listen: addr, Log: slog.New(slog.DiscardHandler)}
}

// plainOptions are those without offload.
func plainOptions(addr netip.AddrPort) Options {
	o := testOptions(addr)
	o.NoOffload = true
	return o
}

func startNode(t testing.TB, addr netip.AddrPort) *node {
	t.Helper()
	return startOptions(t, testOptions(addr))
}

func startOptions(t testing.TB, o Options) *node {
	t.Helper()
	n := unstarted(t, o)
	n.Start(nil)
	n.Handle(n.in)
	t.Cleanup(func() { n.Close() })
	return n
}

// unstarted is a node whose socket nobody reads.
func unstarted(t testing.TB, o Options) *node {
	t.Helper()
	o.Count = new(Counters)
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return &node{s, new(records.Inbox), o.Count}
}

// directPair is two nodes that know each other's records, and their paths.
func directPair(t testing.TB, oa, ob Options) (a, b *node, ab, ba link.Direct) {
	t.Helper()
	a, b = startOptions(t, oa), startOptions(t, ob)
	a.in.Know(records.New(32, 0))
	b.in.Know(records.New(32, 0))
	return a, b, a.Direct(b.LocalAddr()), b.Direct(a.LocalAddr())
}
