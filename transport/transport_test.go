package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

func TestBothEndsDialAndListenOnOneSocket(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	ab, ba := connect(t, a, b, b.LocalAddr())
	ba2, ab2 := connect(t, b, a, a.LocalAddr())
	wantTraffic(t, a, b, ab, ba)
	wantTraffic(t, a, b, ab2, ba2)
	for _, c := range []struct{ got, want netip.AddrPort }{
		{ab.Remote(), b.LocalAddr()}, {ba.Remote(), a.LocalAddr()},
		{ba2.Remote(), a.LocalAddr()}, {ab2.Remote(), b.LocalAddr()},
		{ab.Path().Remote(), b.LocalAddr()}, {ab.Local(), a.LocalAddr()},
	} {
		if c.got != c.want {
			t.Errorf("address %v, want %v", c.got, c.want)
		}
	}
	if ab.Link() != "quic" || ab.Path().Kind().String() != "datagram" || ab.Path().RTT() <= 0 {
		t.Error("link, carrier or round trip wrong")
	}
}

func TestDualStackSocketTakesBothFamilies(t *testing.T) {
	b := startNode(t, netip.MustParseAddrPort("[::]:0"))
	port := b.LocalAddr().Port()
	for _, target := range []string{"127.0.0.1", "::1"} {
		ip := netip.MustParseAddr(target)
		a := startNode(t, netip.AddrPortFrom(ip, 0))
		ca, cb := connect(t, a, b, netip.AddrPortFrom(ip, port))
		wantTraffic(t, a, b, ca, cb)
		if cb.Remote() != a.LocalAddr() || cb.Local().Addr() != ip {
			t.Errorf("%s: accepted %v -> %v", target, cb.Remote(), cb.Local())
		}
		// And out of the dual-stack socket.
		cb, ca = connect(t, b, a, a.LocalAddr())
		wantTraffic(t, a, b, ca, cb)
	}
}

// SPEC R-3.4-3.
func TestBindingIsTheSameAtBothEndsAndNewEachTime(t *testing.T) {
	a, b, ca, cb := pair(t)
	ka, va := ca.Binding()
	kb, vb := cb.Binding()
	if ka != 1 || kb != 1 || va != vb || va == [32]byte{} {
		t.Fatalf("bindings %d %x and %d %x", ka, va, kb, vb)
	}
	other, _ := connect(t, a, b, b.LocalAddr())
	if _, v := other.Binding(); v == va {
		t.Fatal("two connections with one binding")
	}
}

// SPEC R-3.4-7.
func TestStreamsCarryBytesBothWaysAndClose(t *testing.T) {
	_, _, ca, cb := pair(t)
	ctx := records.Context(t)
	for range 40 { // more than a peer may have open at once
		want := bytes.Repeat([]byte("l2tun"), 20000)
		s, err := ca.OpenStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			s.Write(want)
		}()
		r, err := cb.AcceptStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read: %v", err)
		}
		r.Write([]byte("answer"))
		r.Close()
		if got, err := io.ReadAll(s); string(got) != "answer" || err != nil {
			t.Fatalf("answer %q, %v", got, err)
		}
		s.Close()
	}
}

func TestStreamDeadline(t *testing.T) {
	_, _, ca, _ := pair(t)
	s, err := ca.OpenStream(records.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(10 * time.Millisecond))
	var ne net.Error
	if _, err := s.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("read past the deadline: %v", err)
	}
}

func TestCloseTellsThePeerWhy(t *testing.T) {
	_, _, ca, cb := pair(t)
	if ca.Err() != nil {
		t.Fatal("error before the end")
	}
	for range 2 {
		if err := ca.Close("going\nhome"); err != nil {
			t.Fatal(err)
		}
	}
	waitDone(t, cb, 30*time.Second)
	if err := cb.Err(); !errors.Is(err, ErrPeerClosed) || !strings.Contains(err.Error(), "going?home") {
		t.Fatalf("peer's error %v", err)
	}
	if err := ca.Err(); !errors.Is(err, ErrClosed) {
		t.Fatalf("own error %v", err)
	}
	if _, err := ca.Path().Send(records.Batch(records.New(100, 1))); err != link.ErrClosed {
		t.Fatalf("send on a closed path: %v", err)
	}
}

func waitDone(t *testing.T, c link.Conn, within time.Duration) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(within):
		t.Fatalf("connection still up after %v", within)
	}
}

func TestRestartOfThePeerIsNoticedAtOnce(t *testing.T) {
	// Several rounds: half of all resets carry the tag of a record.
	for range 6 {
		a, b, ca, cb := pair(t)
		wantTraffic(t, a, b, ca, cb)
		addr := b.LocalAddr()
		b.udp.Patient().Close() // a crash says no goodbye
		b.Close()
		startNode(t, addr)
		sent := 0
		records.Eventually(t, 30*time.Second, "a reset", func() bool { // long before the connection ends for want of an answer
			if ca.Err() == nil {
				ca.Path().Send(records.Batch(records.New(200, 1)))
				sent++
				time.Sleep(20 * time.Millisecond)
			}
			return ca.Err() != nil
		})
		if !errors.Is(ca.Err(), ErrReset) || sent > 50 {
			t.Fatalf("after %d packets: %v", sent, ca.Err())
		}
	}
}

func TestCloseEndsWaitingCalls(t *testing.T) {
	a := startNode(t, loopback)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	errs := make(chan error, 2)
	go func() {
		_, err := a.Accept(context.Background())
		errs <- err
	}()
	go func() {
		_, err := a.Dial(context.Background(), wire.LinkQUIC, netaddr.PortOf(silent.LocalAddr()))
		errs <- err
	}()
	time.Sleep(50 * time.Millisecond)
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Fatalf("after Close: %v", err)
		}
	}
	if _, err := a.Dial(context.Background(), wire.LinkQUIC, loopback); !errors.Is(err, ErrClosed) {
		t.Fatalf("dial after Close: %v", err)
	}
}

func TestDialToNobodyTimesOut(t *testing.T) {
	a := startNode(t, loopback)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := a.Dial(ctx, wire.LinkQUIC, netaddr.PortOf(silent.LocalAddr())); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("dial with a deadline: %v", err)
	}
	if _, err := a.Dial(context.Background(), wire.LinkQUIC, netaddr.PortOf(silent.LocalAddr())); !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("dial without one: %v", err)
	}
}

func TestConnectionsNeedAHandler(t *testing.T) {
	b := startNode(t, loopback)
	tr, err := Listen(testConfig(loopback))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := tr.Dial(records.Context(t), wire.LinkQUIC, b.LocalAddr()); !errors.Is(err, ErrNoHandler) {
		t.Fatalf("dial without a handler: %v", err)
	}
}

func TestResolve(t *testing.T) {
	a := startNode(t, loopback)
	for in, want := range map[string]string{
		"192.0.2.1:51820":      "192.0.2.1:51820",
		"[::ffff:192.0.2.1]:1": "192.0.2.1:1",
		"[2001:db8::1]:443":    "[2001:db8::1]:443",
		"[fe80::1%eth0]:443":   "[fe80::1%eth0]:443",
		"192.0.2.1":            "",
		"192.0.2.1:0":          "",
		"192.0.2.1:65536":      "",
		"192.0.2.1:https":      "",
		"nobody.invalid.:443":  "",
		"2001:db8::1:443":      "",
	} {
		got, err := a.Resolve(records.Context(t), in)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q resolved to %v", in, got)
		case want != "" && (err != nil || len(got) != 1 || got[0].String() != want):
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	if got, err := a.Resolve(records.Context(t), "localhost:7"); err != nil || len(got) == 0 || got[0].Port() != 7 {
		t.Errorf("localhost: %v, %v", got, err)
	}
}
