package transport

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// A fresh dial leaves from a port of its own, and so do the direct records beside it;
// the peer's come in there. The port that listens stays. The socket goes with the
// last user, and all of them with the Transport.
func TestFreshDialHasAPortOfItsOwn(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	ca, cb := connectFresh(t, a, b)
	if cb.Remote().Port() == a.LocalAddr().Port() {
		t.Fatalf("from the port that listens: %v", cb.Remote())
	}
	rec := records.New(100, 1)
	a.in.Know(rec)
	b.in.Know(rec)
	ab, ba := ca.(link.DirectConn).Direct(), cb.(link.DirectConn).Direct()
	for _, p := range []link.Path{ca.Path(), cb.Path(), ab, ba} {
		if _, err := p.Send(records.Batch(rec)); err != nil {
			t.Fatal(err)
		}
	}
	records.Eventually(t, 30*time.Second, "two records at each end", func() bool { return a.in.Len() == 2 && b.in.Len() == 2 })
	if ba.Remote() != cb.Remote() {
		t.Errorf("direct leads to %v, the connection to %v", ba.Remote(), cb.Remote())
	}
	side := a.sides.all[0]
	if !side.inUse() {
		t.Error("the side is not in use")
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := b.Dial(short, wire.LinkQUIC, side.(*Transport).LocalAddr()); err == nil {
		t.Error("the side listens")
	}
	_ = ca.Close("done")
	records.Eventually(t, 30*time.Second, "the connection's end", func() bool { return !side.(*Transport).conns.any() })
	if !side.inUse() {
		t.Error("a direct path is held")
	}
	_ = ab.Room()
	if a.sides.closeIdle(side) {
		t.Error("a side is closed whose direct path is held")
	}
	_ = side.Close()
	if _, err := ab.Send(records.Batch(rec)); !errors.Is(err, link.ErrClosed) {
		t.Errorf("direct after the side's end: %v", err)
	}
	connect(t, b, a, a.LocalAddr())
}

// There are few side sockets at a time: more dials share the newest. None stays
// after a dial that failed.
func TestSidesAreBounded(t *testing.T) {
	a := startNode(t, loopback)
	for range maxSides {
		if _, err := a.sides.borrow(); err != nil {
			t.Fatal(err)
		}
	}
	newest := a.sides.all[maxSides-1]
	shared, err := a.sides.borrow()
	if err != nil || shared != newest {
		t.Fatal(err)
	}
	a.sides.giveBack(newest)
	if len(a.sides.all) != maxSides {
		t.Error("a side is closed on which another dial is under way")
	}
	b := startNode(t, loopback)
	go func() { _, _ = b.Accept(records.Context(t)) }()
	if _, err := a.DialFresh(records.Context(t), b.LocalAddr()); err != nil {
		t.Error("a dial beyond the bound:", err)
	}
	a.sides.giveBack(a.sides.all[0])
	silent, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := a.DialFresh(ctx, netaddr.PortOf(silent.LocalAddr())); err == nil {
		t.Fatal("nobody answers there")
	}
	if n := len(a.sides.all); n != maxSides-1 {
		t.Errorf("%d side sockets after a failed dial", n)
	}
	c := testConfig(loopback)
	c.Carriers = CarriersOf(link.KindUTCP)
	if _, err := startConfig(t, c).DialFresh(ctx, netaddr.PortOf(silent.LocalAddr())); !errors.Is(err, link.ErrOff) {
		t.Error(err)
	}
}
