package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/utcp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// connectUTCP is two nodes' TCP connection, with the stream that made it known. The
// dialling end takes it for proven.
func connectUTCP(t testing.TB, a, b *node, addr netip.AddrPort) (ca, cb *utcp.Conn, sa, sb link.Stream) {
	t.Helper()
	ctx := records.Context(t)
	dialled, err := a.Dial(ctx, wire.LinkUTCP, addr)
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
	link.Proven(dialled)
	return dialled.(*utcp.Conn), accepted.(*utcp.Conn), sa, sb
}

func TestUTCPIsOffWhenSwitchedOff(t *testing.T) {
	conf := testConfig(loopback)
	conf.Carriers = CarriersOf(link.KindDirect, link.KindDatagram)
	a := startConfig(t, conf)
	if _, err := a.Dial(records.Context(t), wire.LinkUTCP, a.LocalAddr()); err != link.ErrOff {
		t.Fatalf("dial: %v", err)
	}
	if c, err := net.Dial("tcp", a.LocalAddr().String()); err == nil {
		c.Close()
		t.Fatal("something listens")
	}
	if _, err := a.Dial(records.Context(t), "carrier pigeon", a.LocalAddr()); err != link.ErrOff {
		t.Fatalf("an unknown link: %v", err)
	}
}

func TestQUICIsOffWhenSwitchedOff(t *testing.T) {
	conf := testConfig(loopback)
	conf.Carriers = CarriersOf(link.KindUTCP)
	a, b := startConfig(t, conf), startNode(t, loopback)
	if _, err := a.Dial(records.Context(t), wire.LinkQUIC, b.LocalAddr()); err != link.ErrOff || a.Direct(loopback) != nil {
		t.Fatalf("dial: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := b.Dial(ctx, wire.LinkQUIC, a.LocalAddr()); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("answered: %v, %+v", err, a.Stats())
	}
	whole, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := b.Dial(whole, wire.LinkQUIC, a.LocalAddr())
		ended <- err
	}()
	records.Eventually(t, 30*time.Second, "a packet counted", func() bool { return a.Stats().NoPath > 0 })
	end()
	if err := <-ended; err == nil {
		t.Fatal("answered")
	}
	connectUTCP(t, a, b, b.LocalAddr())
	connectUTCP(t, b, a, a.LocalAddr())
}

func TestDatagramIsOffWhenSwitchedOff(t *testing.T) {
	conf := testConfig(loopback)
	conf.Carriers = CarriersOf(link.KindDirect, link.KindUTCP)
	a, b := startConfig(t, conf), startNode(t, loopback)
	ca, cb := connect(t, a, b, b.LocalAddr())
	if n, err := ca.Path().Send(records.Batch(records.New(100, 1))); n != 0 || err != link.ErrOff {
		t.Fatal(n, err)
	}
	cb.Path().Send(records.Batch(records.New(100, 1)))
	records.Eventually(t, 30*time.Second, "counted", func() bool { return a.Stats().NoPath == 1 && a.in.Len() == 0 })
}

func TestUTCPTakesBothFamiliesOnOnePort(t *testing.T) {
	b := startNode(t, netip.MustParseAddrPort("[::]:0"))
	for _, ip := range []string{"127.0.0.1", "::1"} {
		a := startNode(t, netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
		target := netip.AddrPortFrom(netip.MustParseAddr(ip), b.LocalAddr().Port())
		_, cb, _, _ := connectUTCP(t, a, b, target)
		if cb.Local() != target {
			t.Fatalf("accepted at %v, want %v", cb.Local(), target)
		}
		connect(t, a, b, target)
	}
}
