package utcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A rawPeer is a raw TCP connection to a node that accepts.
type rawPeer struct {
	*net.TCPConn
	t *testing.T
}

func strangerTo(t *testing.T, b *node) rawPeer {
	t.Helper()
	c, err := net.Dial("tcp", b.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return rawPeer{c.(*net.TCPConn), t}
}

// wantEnd reads to the end of the connection, which must tell nothing.
func (s rawPeer) wantEnd(within time.Duration) {
	s.t.Helper()
	s.SetReadDeadline(time.Now().Add(within))
	if n, err := io.Copy(io.Discard, s); n != 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		s.t.Fatalf("%d bytes, %v", n, err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// somePreface is one of many.
var somePreface = string(appendPreface(nil, make([]byte, prefaceNonce)))

// opened is a preface and an open stream, begin a first byte as well.
func opened() []byte { return appendStreamFrame([]byte(somePreface), frameOpen, 1, nil) }
func begin() []byte  { return appendStreamFrame(opened(), frameData, 1, []byte("?")) }

// SPEC R-3.6-6, R-3.6-8.
func TestStrangersAreToldNothing(t *testing.T) {
	b := startNode(t, loopback)
	got := accepting(t, b)
	for name, first := range map[string][]byte{
		"another protocol":      []byte("GET / HTTP/1.1\r\n\r\n"),
		"another preface":       append([]byte("l2utcp\x00\x02"), make([]byte, prefaceSize)...),
		"a preface changed":     append([]byte("x"), opened()[1:]...),
		"a stream of nothing":   appendStreamFrame(opened(), frameClose, 1, nil),
		"hostile length":        append([]byte(somePreface), frameRecord, 255, 255, 255),
		"length 0":              append([]byte(somePreface), frameOpen, 0, 0, 0),
		"a record first":        append(appendFrameHeader([]byte(somePreface), frameRecord, 40), record(40, 1)...),
		"a stream not opened":   appendStreamFrame([]byte(somePreface), frameData, 1, []byte("x")),
		"a goodbye":             appendFrameHeader([]byte(somePreface), frameEnd, 0),
		"a stream, then broken": append(begin(), 99, 0, 0, 0),
	} {
		s := strangerTo(t, b)
		s.Write(first)
		s.wantEnd(helloTime + 30*time.Second)
		if name == "a stream, then broken" {
			c := <-got
			waitDone(t, c, 30*time.Second)
			if !errors.Is(c.Err(), cause.ErrProtocol) {
				t.Errorf("%s: %v", name, c.Err())
			}
		}
	}
	if len(got) != 0 || b.in.len() != 0 {
		t.Fatal("something came through")
	}
	faults.Report(t, "T2", true, "hostile lengths: closed, 0 bytes out")
	faults.Report(t, "T6", true, "10 wrong beginnings: closed, 0 bytes out")
	faults.Report(t, "H7", true, "μTCP: 0 bytes out before the session writes")
}

func TestOneByteAtATime(t *testing.T) {
	b := startNode(t, loopback)
	got := accepting(t, b)
	s := strangerTo(t, b)
	rec := record(60, 1)
	all := appendStreamFrame(opened(), frameData, 1, []byte("hello"))
	all = append(appendFrameHeader(all, frameRecord, len(rec)), rec...)
	all = appendStreamFrame(all, frameClose, 1, nil)
	for i := range all {
		s.Write(all[i : i+1])
		time.Sleep(100 * time.Microsecond)
	}
	st, err := (<-got).AcceptStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	wantRead(t, st, "hello")
	if _, err := st.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the record", func() bool { return b.in.len() == 1 && string(b.in.recs[0]) == string(rec) })
	faults.Report(t, "T1", true, "one byte a segment: same frames")
}

func TestEndInsideAFrame(t *testing.T) {
	b := startNode(t, loopback)
	got := accepting(t, b)
	rec := append(appendFrameHeader(nil, frameRecord, 100), record(100, 1)...)
	for cut := 0; cut <= len(rec); cut += 13 {
		s := strangerTo(t, b)
		s.Write(append(begin(), rec[:cut]...))
		s.CloseWrite()
		c := <-got
		waitDone(t, c, time.Second)
		want := cause.ErrProtocol
		if cut == 0 || cut == len(rec) {
			want = cause.ErrPeerClosed
		}
		if !errors.Is(c.Err(), want) {
			t.Errorf("cut at %d: %v", cut, c.Err())
		}
		s.wantEnd(time.Second)
	}
	faults.Report(t, "T7", true, "FIN at every 13th byte of a frame: protocol error within 1 s")
}

func TestResetInsideAFrame(t *testing.T) {
	b := startNode(t, loopback)
	got := accepting(t, b)
	rec := append(appendFrameHeader(nil, frameRecord, 100), record(100, 1)...)
	cuts := 0
	for cut := 1; cut < len(rec); cut += 13 {
		s := strangerTo(t, b)
		s.Write(begin())
		c := <-got
		s.Write(rec[:cut])
		s.SetLinger(0)
		s.Close() // a reset
		waitDone(t, c, time.Second)
		if !errors.Is(c.Err(), cause.ErrReset) {
			t.Errorf("reset at %d: %v", cut, c.Err())
		}
		cuts++
	}
	if n := b.in.len(); n != 0 {
		t.Errorf("%d records delivered", n)
	}
	begun := time.Now()
	if _, cb := connectUTCPTo(t, startNode(t, loopback), got, b.LocalAddr()); cb == nil {
		t.Fatal("the next connection is refused")
	}
	took := time.Since(begun)
	faults.Report(t, "T7", took <= time.Second, "RST at %d places of a frame: reset within 1 s, no part of it delivered; the next connection is there after %v", cuts, took.Round(time.Millisecond))
}

func TestStrangersBufferLittle(t *testing.T) {
	b := startNode(t, loopback)
	got := accepting(t, b)
	s := strangerTo(t, b)
	const piece = 4 << 10
	flood := opened()
	for range streamWindow / piece {
		flood = appendStreamFrame(flood, frameData, 1, make([]byte, piece))
	}
	s.Write(flood)
	c := (<-got).(*Conn)
	unread := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.streams.unread
	}
	eventually(t, 30*time.Second, "what is a stranger's", func() bool { return unread() >= strangerBytes })
	time.Sleep(100 * time.Millisecond) // more, if it is taken
	if n := unread(); n != strangerBytes {
		t.Fatalf("%d bytes of a stranger are unread", n)
	}
	c.Proven()
	eventually(t, 30*time.Second, "the rest once proven", func() bool { return unread() == streamWindow })
	// One that is closed instead ends at once.
	s = strangerTo(t, b)
	s.Write(flood)
	c = (<-got).(*Conn)
	time.Sleep(50 * time.Millisecond)
	c.Close("no session")
	s.wantEnd(30 * time.Second)
}

// SPEC 3.6: a stranger's second stream waits for the proof, and so does a frame
// larger than a stranger's buffer.
// SPEC R-3.6-3.
func TestAStrangerHasOneStream(t *testing.T) {
	b := startNode(t, loopback)
	got := accepting(t, b)
	for name, next := range map[string][]byte{
		"a second stream": appendStreamFrame(nil, frameOpen, 3, nil),
		"a large frame":   appendStreamFrame(nil, frameData, 1, make([]byte, readSmall)),
	} {
		s := strangerTo(t, b)
		s.Write(append(begin(), next...))
		c := (<-got).(*Conn)
		size := func() (streams, unread int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.streams.open), c.streams.unread
		}
		eventually(t, 30*time.Second, "the first byte", func() bool { _, unread := size(); return unread > 0 })
		time.Sleep(50 * time.Millisecond) // more, if it is taken
		if streams, unread := size(); streams != 1 || unread != 1 || c.Err() != nil {
			t.Errorf("%s of a stranger: %d streams, %d bytes, %v", name, streams, unread, c.Err())
		}
		c.Proven()
		eventually(t, 30*time.Second, name+" once proven", func() bool {
			streams, unread := size()
			return streams == 2 || unread == 1+readSmall
		})
	}
}

// SPEC R-3.6-3: what a dialler has to send before the last message of its handshake
// leaves behind it, or the listener would not read that message.
func TestADiallerKeepsToOneStreamUntilProven(t *testing.T) {
	for name, end := range map[string]func(*Conn, link.Stream){
		"proven":               func(c *Conn, _ link.Stream) { c.Proven() },
		"the stream is closed": func(_ *Conn, first link.Stream) { first.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := startNode(t, loopback), startNode(t, loopback)
			ctx := testContext(t)
			dialled, err := a.Dial(ctx, b.LocalAddr())
			if err != nil {
				t.Fatal(err)
			}
			ca := dialled.(*Conn)
			first, err := ca.OpenStream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			large := record(60_000, 1)
			if n, err := ca.Path().Send(batchOf(large)); n != 1 || err != nil {
				t.Fatalf("%d records taken: %v", n, err)
			}
			go func() {
				if st, err := ca.OpenStream(ctx); err == nil {
					st.Write([]byte("messages"))
				}
			}()
			first.Write([]byte("M1"))
			cb, err := b.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			st, err := cb.AcceptStream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			wantRead(t, st, "M1")
			time.Sleep(20 * time.Millisecond) // the second stream, if it is let
			first.Write([]byte("M3"))
			st.SetDeadline(time.Now().Add(30 * time.Second))
			m3 := make([]byte, 2)
			if _, err := io.ReadFull(st, m3); err != nil || string(m3) != "M3" {
				t.Fatalf("M3: %q, %v", m3, err)
			}
			cb.(*Conn).Proven()
			if n := b.in.len(); n != 0 {
				t.Errorf("%d records came before the handshake was complete", n)
			}
			end(ca, first)
			if st, err = cb.AcceptStream(ctx); err != nil {
				t.Fatal(err)
			}
			wantRead(t, st, "messages")
			eventually(t, 30*time.Second, "the record", func() bool { return b.in.len() == 1 })
			if !bytes.Equal(b.in.recs[0], large) {
				t.Error("the record has changed")
			}
		})
	}
}

func TestPeerThatMakesUsAnswerButReadsNothing(t *testing.T) {
	b := startNode(t, loopback)
	got := accepting(t, b)
	s := strangerTo(t, b)
	s.SetReadBuffer(4096)
	s.Write(begin())
	c := (<-got).(*Conn)
	c.Proven()
	go func() {
		for {
			st, err := c.AcceptStream(context.Background())
			if err != nil {
				return
			}
			st.Close()
		}
	}()
	flood := appendStreamFrame(nil, frameClose, 1, nil)
	s.SetWriteDeadline(time.Now().Add(2 * time.Minute))
	for id := uint32(3); ; id += 2 {
		flood = appendStreamFrame(appendStreamFrame(flood, frameOpen, id, nil), frameClose, id, nil)
		if len(flood) < 400 {
			continue
		}
		if _, err := s.Write(flood); err != nil {
			break
		}
		flood = flood[:0]
		eventually(t, 30*time.Second, "the streams are closed", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.out.waiting() > maxControl+readLarge {
				t.Fatalf("%d bytes wait", c.out.waiting())
			}
			return len(c.streams.open) < 2 || c.err != nil
		})
	}
	waitDone(t, c, 30*time.Second)
	if !errors.Is(c.Err(), cause.ErrProtocol) {
		t.Fatal(c.Err())
	}
}

func TestIdleStrangersAreBoundedAndSentAway(t *testing.T) {
	b := startNode(t, netip.MustParseAddrPort("0.0.0.0:0"))
	got := accepting(t, b)
	before := runtime.NumGoroutine()
	var mu sync.Mutex
	var conns []net.Conn
	var wg sync.WaitGroup
	first := time.Now()
	for i := range 8 {
		wg.Go(func() {
			for k := range 250 { // 2000 connections of 125 sources
				from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i), byte(k/16 + 1)}), 0))
				c, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), b.LocalAddr().Port()).String())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				conns = append(conns, c)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	start := time.Now()
	// A machine that takes helloTime to accept all of them has sent away the first when
	// the last come, who get their places.
	eventually(t, helloTime, "all beyond the limit are refused", func() bool {
		refused := b.Count.Refused.Load()
		return refused == 2000-maxStrangers || refused < 2000-maxStrangers && time.Since(first) > helloTime
	})
	eventually(t, 30*time.Second, "two goroutines each", func() bool { return runtime.NumGoroutine()-before <= 2*maxStrangers+10 })
	eventually(t, 30*time.Second, "the idle ones are sent away", func() bool { // T5 says how soon
		b.limits.mu.Lock()
		defer b.limits.mu.Unlock()
		return len(b.limits.here) == 0
	})
	took := time.Since(start)
	if len(got) != 0 {
		t.Fatalf("after %v, %d accepted", took, len(got))
	}
	connectUTCPTo(t, startNode(t, loopback), got, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), b.LocalAddr().Port()))
	faults.Report(t, "T5", took <= 5*time.Second, "2000 of 125 sources: %d kept, the last sent away %v after it came", maxStrangers, took.Round(10*time.Millisecond))
}

// connectUTCPTo dials a node whose connections arrive on got.
func connectUTCPTo(t *testing.T, a *node, got <-chan link.Conn, addr netip.AddrPort) (ca, cb link.Conn) {
	t.Helper()
	ca, err := a.Dial(testContext(t), addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ca.OpenStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte("?"))
	select {
	case cb = <-got:
		return ca, cb
	case <-time.After(30 * time.Second):
		return ca, nil
	}
}

func TestOneSourceHasItsLimitUntilProven(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	b.limits.remembers, b.limits.more = func(netip.Addr) bool { return false }, func(netip.Addr) int { return 0 }
	got := accepting(t, b)
	for i := range 3 * maxFromOne { // proven ones do not count
		_, cb := connectUTCPTo(t, a, got, b.LocalAddr())
		if cb == nil {
			t.Fatalf("connection %d refused", i)
		}
		cb.(*Conn).Proven()
	}
	var unproven []link.Conn
	for range maxFromOne {
		_, cb := connectUTCPTo(t, a, got, b.LocalAddr())
		if cb == nil {
			t.Fatal("refused below the limit")
		}
		unproven = append(unproven, cb)
	}
	strangerTo(t, b).wantEnd(30 * time.Second)
	unproven[0].Close("no session")
	if _, cb := connectUTCPTo(t, a, got, b.LocalAddr()); cb == nil {
		t.Fatal("refused although a place is free")
	}
	if n := b.Count.Refused.Load(); n != 1 {
		t.Fatalf("%d refused", n)
	}
	faults.Report(t, "T5", true, "one address: %d unproven connections, the next is refused until one is gone; %d proven ones beside them do not count", maxFromOne, 3*maxFromOne)
}
