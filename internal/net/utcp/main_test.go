package utcp

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox is a Handler that keeps copies.
type inbox struct {
	mu    sync.Mutex
	recs  [][]byte
	calls int
	paths []link.Path // of each call
}

func (b *inbox) Records(p link.Path, recs [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.paths = append(b.paths, p)
	for _, r := range recs {
		b.recs = append(b.recs, bytes.Clone(r))
	}
}

func (b *inbox) Known(wire.RecordID) bool   { return true }
func (b *inbox) Unreachable(netip.AddrPort) {}

func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.recs)
}

// A node is a Door with an owner: what transport is in the product.
type node struct {
	*Door
	in       *inbox
	handler  link.Handler
	local    netip.AddrPort
	incoming chan link.Conn
	accept   sync.Once
	ended    chan struct{}

	mu     sync.Mutex
	wg     sync.WaitGroup
	conns  map[link.Conn]bool
	closed bool
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// nobody has proven itself anywhere.
type nobody struct{}

func (nobody) Remembers(netip.Addr) bool        { return false }
func (nobody) More(netip.Addr) int              { return 0 }
func (nobody) Learn(netip.Addr)                 {}
func (nobody) Connect(netip.Addr) (gone func()) { return func() {} }

func startNode(t testing.TB, at netip.AddrPort) *node {
	t.Helper()
	ln, err := Listen(at, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{in: new(inbox), local: netaddr.PortOf(ln.Addr()), incoming: make(chan link.Conn, 64), ended: make(chan struct{}), conns: make(map[link.Conn]bool)}
	n.handler = n.in
	n.Door = New(ln, n.local.Addr(), Options{Log: slog.New(slog.DiscardHandler), Count: new(Counters), Sources: nobody{},
		Protect: func(_ string, f func()) bool { f(); return true }, Start: n.start, Accepted: n.accepted})
	t.Cleanup(n.Close)
	return n
}

func (n *node) start(c link.Conn, send func(), receive func(link.Handler)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return cause.ErrClosed
	}
	n.conns[c] = true
	n.wg.Go(send)
	n.wg.Go(func() {
		receive(n.handler)
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.conns, c)
	})
	return nil
}

func (n *node) accepted(c link.Conn) error {
	select {
	case n.incoming <- c:
		return nil
	default:
		return errors.New("nobody accepts")
	}
}

func (n *node) LocalAddr() netip.AddrPort { return n.local }
func (n *node) Handle(h link.Handler)     { n.handler = h }

func (n *node) Dial(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	n.mu.Lock()
	closed := n.closed
	n.mu.Unlock()
	if closed {
		return nil, cause.ErrClosed
	}
	c, err := n.Door.Dial(ctx, remote)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n *node) Accept(ctx context.Context) (link.Conn, error) {
	n.accept.Do(func() { n.wg.Go(n.Door.Accept) })
	select {
	case c := <-n.incoming:
		return c, nil
	case <-n.ended:
		return nil, cause.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *node) Close() {
	n.mu.Lock()
	again := n.closed
	n.closed = true
	var all []link.Conn
	for c := range n.conns {
		all = append(all, c)
	}
	n.mu.Unlock()
	if !again {
		close(n.ended)
		n.Door.Close()
	}
	for _, c := range all {
		c.Close("shutdown")
	}
	n.wg.Wait()
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// accepting keeps a node accepting and returns what comes.
func accepting(t testing.TB, b *node) <-chan link.Conn {
	b.accept.Do(func() { b.wg.Go(b.Door.Accept) })
	return b.incoming
}

// record makes a record by form with random contents.
func record(size int, n uint64) []byte {
	b := make([]byte, size)
	rand.Read(b)
	wire.PutHeader(b, wire.MakeRecordID([7]byte(b[1:8])), n, wire.SpaceUTCP)
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
	for deadline := time.Now().Add(within); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

func waitDone(t testing.TB, c link.Conn, within time.Duration) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(within):
		t.Fatalf("connection still up after %v", within)
	}
}

// sendAll sends a batch in pieces that the receive buffer holds and compares.
func sendAll(t testing.TB, p link.Path, to *node, recs *wire.Batch) {
	t.Helper()
	before := to.in.len()
	for i := 0; i < recs.Len(); i += 100 {
		piece := batchOf(recs.Slices()[i:min(i+100, recs.Len())]...)
		if n, err := p.Send(piece); n != piece.Len() || err != nil {
			t.Fatalf("send: %d of %d, %v", n, piece.Len(), err)
		}
		eventually(t, 30*time.Second, "the piece arrives", func() bool { return to.in.len() == before+i+piece.Len() })
	}
	to.in.mu.Lock()
	defer to.in.mu.Unlock()
	for i, rec := range to.in.recs[before:] {
		if !bytes.Equal(rec, recs.At(i)) {
			t.Fatalf("record %d of %d bytes was changed or moved: %d bytes", i, len(recs.At(i)), len(rec))
		}
	}
}
