package utcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// utcpPair is two nodes and a TCP connection between them, with the stream that
// made it known. The dialling end takes it for proven.
func utcpPair(t testing.TB) (a, b *node, ca, cb *Conn, sa, sb link.Stream) {
	t.Helper()
	a, b = startNode(t, loopback), startNode(t, loopback)
	ca, cb, sa, sb = connectUTCP(t, a, b, b.LocalAddr())
	return
}

func connectUTCP(t testing.TB, a, b *node, addr netip.AddrPort) (ca, cb *Conn, sa, sb link.Stream) {
	t.Helper()
	ctx := testContext(t)
	dialled, err := a.Dial(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	if sa, err = dialled.OpenStream(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err = sa.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	accepted, err := b.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if sb, err = accepted.AcceptStream(ctx); err != nil {
		t.Fatal(err)
	}
	wantRead(t, sb, "?")
	dialled.(*Conn).Proven()
	return dialled.(*Conn), accepted.(*Conn), sa, sb
}

func wantRead(t testing.TB, s link.Stream, want string) {
	t.Helper()
	s.SetDeadline(time.Now().Add(30 * time.Second))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got, err, want)
	}
	s.SetDeadline(time.Time{})
}

func TestUTCPCarriesAHandshake(t *testing.T) {
	a, b, ca, cb, sa, sb := utcpPair(t)
	for i, size := range []int{40, 1176, 1272, 4752, 9000} {
		m := strings.Repeat(string(rune('a'+i)), size)
		from, to := sa, sb
		if i%2 == 1 {
			from, to = sb, sa
		}
		go from.Write([]byte(m))
		wantRead(t, to, m)
	}
	sb.Write([]byte("bye"))
	sb.Close()
	if rest, err := io.ReadAll(sa); string(rest) != "bye" || err != nil {
		t.Fatalf("%q, %v", rest, err)
	}
	if _, err := sa.Write([]byte("x")); err != cause.ErrStreamClosed {
		t.Fatalf("write to a stream that the peer has closed: %v", err)
	}
	sa.Close()
	ka, va := ca.Binding()
	if kb, vb := cb.Binding(); ka != 0 || kb != 0 || va != vb || va != [32]byte{} {
		t.Fatal("there is a binding")
	}
	if ca.Link() != "utcp" || ca.Remote() != b.LocalAddr() || cb.Local() != b.LocalAddr() || cb.Remote() != ca.Local() ||
		ca.Local().Addr() != a.LocalAddr().Addr() || ca.Path().Kind() != link.KindUTCP || ca.Path().Room() != 65664 ||
		ca.Path().Remote() != b.LocalAddr() || ca.Path().Local() != ca.Local() {
		t.Fatalf("%v -> %v and %v -> %v", ca.Local(), ca.Remote(), cb.Local(), cb.Remote())
	}
	if rtt := ca.Path().RTT(); rtt <= 0 || rtt > time.Second {
		t.Fatalf("round trip %v", rtt)
	}
}

func TestTwentyStreamsAtATimeBothWays(t *testing.T) {
	_, _, ca, cb, sa, sb := utcpPair(t)
	cb.Proven()
	sa.Close()
	sb.Close()
	var wg sync.WaitGroup
	for _, end := range []struct{ open, accept *Conn }{{ca, cb}, {cb, ca}} {
		for i := range 20 {
			wg.Go(func() {
				want := bytes.Repeat([]byte(fmt.Sprintf("%02d", i)), 200_000) // more than a window
				s, err := end.open.OpenStream(testContext(t))
				if err != nil {
					t.Error(err)
					return
				}
				go func() { s.Write(want) }()
				got, err := io.ReadAll(s)
				if err != nil || len(got) != 1 || got[0] != 'k' {
					t.Errorf("answer %q, %v", got, err)
				}
				s.Close()
			})
			wg.Go(func() {
				s, err := end.accept.AcceptStream(testContext(t))
				if err != nil {
					t.Error(err)
					return
				}
				got := make([]byte, 400_000)
				if _, err := io.ReadFull(s, got); err != nil || bytes.Count(got, got[:2]) != 200_000 {
					t.Errorf("%v, or mixed up", err)
				}
				s.Write([]byte("k"))
				s.Close()
			})
		}
	}
	wg.Wait()
	for _, c := range []*Conn{ca, cb} {
		eventually(t, 30*time.Second, "no stream left", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.streams.open) == 0 && c.streams.ours == 0 && c.streams.theirs == 0 && c.streams.unread == 0
		})
	}
}

func TestOpeningWaitsWhileTooManyStreamsAreOpen(t *testing.T) {
	_, _, ca, cb, sa, sb := utcpPair(t)
	cb.Proven()
	for range maxStreams - 1 {
		if _, err := ca.OpenStream(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := ca.OpenStream(ctx); err != context.DeadlineExceeded {
		t.Fatalf("one more: %v", err)
	}
	sa.Close()
	sb.Close()
	s, err := ca.OpenStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte("!"))
	for range maxStreams - 1 {
		cb.AcceptStream(testContext(t))
	}
	last, err := cb.AcceptStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	wantRead(t, last, "!")
}

func TestUTCPRecordsArriveUnchangedAndInOrder(t *testing.T) {
	a, b, ca, cb, _, _ := utcpPair(t)
	cb.Proven()
	for _, way := range []struct {
		path link.Path
		to   *node
	}{{ca.Path(), b}, {cb.Path(), a}} {
		recs := new(wire.Batch)
		for k := range 600 {
			recs.Append(record(1452, uint64(k)))
		}
		for k := range 200 {
			recs.Append(record(wire.Overhead+k*k*37%9000, uint64(k)))
		}
		recs.Append(record(maxRecord, 1))
		recs.Append(record(wire.Overhead, 2))
		sendAll(t, way.path, way.to, recs)
		if way.to.in.calls > 450 {
			t.Errorf("%d calls", way.to.in.calls)
		}
		for _, p := range way.to.in.paths {
			if p.Kind() != link.KindUTCP || p.Remote() != way.path.Local() {
				t.Fatal("not the connection's path")
			}
		}
	}
	if n, err := ca.Path().Send(batchOf(record(100, 1), record(maxRecord+1, 2))); n != 1 || err != link.ErrTooBig {
		t.Fatalf("too big: %d, %v", n, err)
	}
}

// SPEC R-3.6-2.
func TestReaderlessStreamHoldsUpNobody(t *testing.T) {
	a, b, ca, cb, sa, sb := utcpPair(t)
	cb.Proven()
	full := make(chan int)
	go func() {
		n, _ := sa.Write(make([]byte, 1<<20))
		full <- n
	}()
	eventually(t, 30*time.Second, "the window is full", func() bool {
		cb.mu.Lock()
		defer cb.mu.Unlock()
		return cb.streams.unread == streamWindow-1
	})
	sendAll(t, ca.Path(), b, batchOfN(50, 1452))
	sendAll(t, cb.Path(), a, batchOfN(50, 1452))
	s, err := ca.OpenStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte("other"))
	r, err := cb.AcceptStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	wantRead(t, r, "other")
	sa.SetDeadline(time.Now().Add(10 * time.Millisecond))
	if n := <-full; n != streamWindow-1 {
		t.Fatalf("%d bytes written to a stream that nobody reads", n)
	}
	// What is read makes room again.
	sa.SetDeadline(time.Time{})
	go sa.Write(make([]byte, 1<<20))
	sb.SetDeadline(time.Now().Add(30 * time.Second))
	if n, err := io.CopyN(io.Discard, sb, streamWindow-1+1<<20); err != nil {
		t.Fatal(n, err)
	}
}

func TestUTCPStreamDeadlines(t *testing.T) {
	_, _, _, _, sa, _ := utcpPair(t)
	sa.SetDeadline(time.Now().Add(10 * time.Millisecond))
	var ne net.Error
	if _, err := sa.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("read past the deadline: %v", err)
	}
	if _, err := sa.Write(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write past the deadline: %v", err)
	}
	sa.SetDeadline(time.Time{})
	if _, err := sa.Write(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	sa.Close()
	if _, err := sa.Read(make([]byte, 1)); err != cause.ErrStreamClosed {
		t.Fatalf("read after close: %v", err)
	}
}

func TestUTCPCloseTellsThePeerWhyAfterTheLastData(t *testing.T) {
	_, _, ca, cb, sa, sb := utcpPair(t)
	ca.Path().Send(batchOfN(30, 1452))
	sa.Write([]byte("last data"))
	for range 2 {
		if err := ca.Close("going\nhome"); err != nil {
			t.Fatal(err)
		}
	}
	waitDone(t, cb, 30*time.Second)
	if err := cb.Err(); !errors.Is(err, cause.ErrPeerClosed) || !strings.Contains(err.Error(), "going?home") {
		t.Fatalf("peer's error %v", err)
	}
	wantRead(t, sb, "last data")
	if _, err := sb.Read(make([]byte, 1)); !errors.Is(err, cause.ErrPeerClosed) {
		t.Fatalf("read at the end: %v", err)
	}
	if err := ca.Err(); !errors.Is(err, cause.ErrClosed) {
		t.Fatalf("own error %v", err)
	}
	for _, c := range []*Conn{ca, cb} {
		if _, err := c.Path().Send(batchOf(record(100, 1))); err != link.ErrClosed {
			t.Fatalf("send on a closed path: %v", err)
		}
		if _, err := c.OpenStream(testContext(t)); err != c.Err() {
			t.Fatalf("open: %v", err)
		}
		if _, err := c.AcceptStream(testContext(t)); err != c.Err() {
			t.Fatalf("accept: %v", err)
		}
	}
}

func TestUTCPCrashOfThePeer(t *testing.T) {
	_, _, ca, cb, sa, _ := utcpPair(t)
	cb.nc.SetLinger(0)
	cb.nc.Close() // a reset
	waitDone(t, ca, time.Second)
	if err := ca.Err(); !errors.Is(err, cause.ErrReset) {
		t.Fatal(err)
	}
	if _, err := sa.Read(make([]byte, 1)); !errors.Is(err, cause.ErrReset) {
		t.Fatal(err)
	}
	faults.Report(t, "T7", true, "RST: the error surfaces within 1 s")
}

func TestPeerThatNeverReadsBlocksNothing(t *testing.T) {
	a := startNode(t, loopback)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialled, err := a.Dial(testContext(t), netaddr.PortOf(ln.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	c := dialled.(*Conn)
	deaf, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	c.Proven()
	s, err := c.OpenStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(500 * time.Millisecond))
	written := make(chan error)
	recs, worst, refused := batchOfN(45, 1452), time.Duration(0), 0
	for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond / 4) {
		begin := time.Now()
		n, err := c.Path().Send(recs)
		worst = max(worst, time.Since(begin))
		if refused += recs.Len() - n; err != nil && err != link.ErrQueueFull {
			t.Fatal(err)
		}
		c.mu.Lock()
		if c.out.bytes > maxQueue {
			t.Fatalf("%d bytes queued", c.out.bytes)
		}
		c.mu.Unlock()
	}
	go func() { _, err := s.Write(make([]byte, 200_000)); written <- err }()
	if err := <-written; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v", err)
	}
	if full, old := a.Count.Full.Load(), a.Count.Old.Load(); worst > 200*time.Millisecond || refused == 0 || full != uint64(refused) || old == 0 {
		t.Fatalf("worst %v, %d refused, %d and %d counted", worst, refused, full, old)
	}
	begin := time.Now()
	c.Close("enough")
	if took := time.Since(begin); took > 200*time.Millisecond || c.Err() == nil {
		t.Fatalf("close took %v", took)
	}
	begin = time.Now()
	a.Close()
	if took := time.Since(begin); took > 2*time.Second {
		t.Fatalf("the transport took %v to close", took)
	}
	faults.Report(t, "T4", true, "longest Send %v, %d records refused, queue never above %d bytes", worst.Round(time.Microsecond), refused, maxQueue)
}

func TestControlPassesBulk(t *testing.T) {
	_, _, ca, cb, sa, sb := utcpPair(t)
	cb.Proven()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for recs := batchOfN(45, 1452); ; {
			select {
			case <-stop:
				return
			default:
				if _, err := ca.Path().Send(recs); err != nil {
					time.Sleep(time.Millisecond)
				}
			}
		}
	}()
	defer func() { close(stop); <-ended }()
	var took []time.Duration
	for range 20 {
		begin := time.Now()
		sa.Write([]byte("ping"))
		wantRead(t, sb, "ping")
		took = append(took, time.Since(begin))
	}
	slices.Sort(took) // the slowest say more about the machine
	if took[10] > 500*time.Millisecond {
		t.Fatalf("messages took %v beside bulk", took)
	}
}

func TestUTCPDialErrors(t *testing.T) {
	a := startNode(t, loopback)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, err := a.Dial(testContext(t), netaddr.PortOf(ln.Addr())); !errors.Is(err, cause.ErrPeerClosed) {
		t.Fatalf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Dial(ctx, netaddr.PortOf(ln.Addr())); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	a.Close()
	if _, err := a.Dial(testContext(t), netaddr.PortOf(ln.Addr())); !errors.Is(err, cause.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}
