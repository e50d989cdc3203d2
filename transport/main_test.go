package transport

import (
	"context"
	"crypto/rand"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox is a Handler that keeps copies.
type inbox struct {
	mu      sync.Mutex
	recs    [][]byte
	calls   int
	paths   []link.Path // of each call
	known   map[wire.RecordID]bool
	missing []netip.AddrPort // reported unreachable
}

// know makes the id of a record known.
func (b *inbox) know(rec []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = make(map[wire.RecordID]bool)
	}
	b.known[wire.RecordID(rec[1:8])] = true
}

func (b *inbox) Records(p link.Path, recs [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.paths = append(b.paths, p)
	for _, r := range recs {
		b.recs = append(b.recs, append([]byte(nil), r...))
	}
}

func (b *inbox) Known(id wire.RecordID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[id]
}

func (b *inbox) Unreachable(remote netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.missing = append(b.missing, remote)
}

// unreachable counts the reports of a remote.
func (b *inbox) unreachable(remote netip.AddrPort) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.missing {
		if m == remote {
			n++
		}
	}
	return n
}

func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.recs)
}

type node struct {
	*Transport
	in *inbox
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
	n := &node{tr, &inbox{}}
	n.Handle(n.in)
	return n
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// connect dials from a to b (through addr) and returns both ends.
func connect(t testing.TB, a, b *node, addr netip.AddrPort) (dialled, accepted link.Conn) {
	t.Helper()
	ctx := testContext(t)
	got := make(chan link.Conn, 1)
	go func() {
		c, err := b.Accept(ctx)
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	c, err := a.Dial(ctx, wire.LinkQUIC, addr)
	if err != nil {
		t.Fatal(err)
	}
	peer := <-got
	if peer == nil {
		t.FailNow()
	}
	return c, peer
}

// pair is two nodes on loopback and a connection between them.
func pair(t testing.TB) (a, b *node, ca, cb link.Conn) {
	t.Helper()
	a, b = startNode(t, loopback), startNode(t, loopback)
	ca, cb = connect(t, a, b, b.LocalAddr())
	return
}

// record makes a record by form with random contents.
func record(size int, n uint64) []byte {
	b := make([]byte, size)
	rand.Read(b)
	var id [wire.RecordIDSize]byte
	wire.PutHeader(b, wire.MakeRecordID(id), n, wire.SpaceDatagram)
	return b
}

func batchOf(recs ...[]byte) *wire.Batch {
	b := new(wire.Batch)
	for _, r := range recs {
		b.Append(r)
	}
	return b
}

func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// wantTraffic proves that a connection works both ways.
func wantTraffic(t testing.TB, a, b *node, ca, cb link.Conn) {
	t.Helper()
	na, nb := a.in.len(), b.in.len()
	eventually(t, 30*time.Second, "records both ways", func() bool {
		ca.Path().Send(batchOf(record(100, 1)))
		cb.Path().Send(batchOf(record(100, 1)))
		time.Sleep(5 * time.Millisecond)
		return a.in.len() > na && b.in.len() > nb
	})
}

func batchOfN(n, size int) *wire.Batch {
	b := new(wire.Batch)
	for i := range n {
		b.Append(record(size, uint64(i)))
	}
	return b
}
