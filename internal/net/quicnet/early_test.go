package quicnet

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/records"
)

// wantTicket waits until a has one: the server sends it after the handshake.
func wantTicket(t *testing.T, a *node) {
	t.Helper()
	records.Eventually(t, 30*time.Second, "a ticket", func() bool {
		a.dialler.tickets.mu.Lock()
		defer a.dialler.tickets.mu.Unlock()
		return len(a.dialler.tickets.of) == 1
	})
}

func earlyConnOf(t *testing.T, a, b *node) *earlyConn {
	t.Helper()
	wantTicket(t, a)
	c, err := a.DialEarly(records.Context(t), b.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	return c.(*earlyConn)
}

// What is sent early arrives before the handshake is complete, under a binding
// that both ends share; a ticket serves once.
func TestEarlyDial(t *testing.T) {
	a, b, _, _ := pair(t)
	ctx := records.Context(t)
	early := earlyConnOf(t, a, b)
	if _, err := early.Stream().Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	cb, err := b.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ca, taken, err := early.Complete(ctx)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	_, va := ca.Binding()
	if _, vb := cb.Binding(); va != vb || va == [32]byte{} {
		t.Fatal("bindings differ")
	}
	wantTraffic(t, a, b, ca, cb)
}

// A server that came up anew does not take tickets; the connection is good.
func TestForeignTicketIsNotTaken(t *testing.T) {
	a, b, _, _ := pair(t)
	wantTicket(t, a)
	at := b.LocalAddr()
	b.Close()
	b = startNode(t, at)
	ctx := records.Context(t)
	early := earlyConnOf(t, a, b)
	early.Stream().Write([]byte("lost"))
	accepted := make(chan error, 1)
	go func() {
		cb, err := b.Accept(ctx)
		if err == nil {
			st, _ := cb.OpenStream(ctx)
			_, err = st.Write([]byte("x"))
		}
		accepted <- err
	}()
	ca, taken, err := early.Complete(ctx)
	if err != nil || taken {
		t.Fatal(taken, err)
	}
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	if _, err := ca.AcceptStream(ctx); err != nil {
		t.Fatal(err)
	}
}

// A ticket from a circuit serves any dial to its peer, any ticket of the peer serves a
// circuit, and no other peer.
func TestTicketsOfAPeer(t *testing.T) {
	direct, other := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")
	circuit, next := netip.MustParseAddrPort("[100::1]:1"), netip.MustParseAddrPort("[100::2]:1")
	one, two, nobody := [32]byte{1}, [32]byte{2}, [32]byte{}
	for _, c := range []struct {
		from, to netip.AddrPort
		of, peer [32]byte
		want     bool
	}{
		{circuit, direct, one, one, true}, {circuit, next, one, one, true}, {direct, circuit, one, one, true},
		{direct, other, one, one, false}, {direct, direct, one, two, true}, {circuit, direct, one, two, false},
		{direct, circuit, one, two, false}, {circuit, direct, nobody, nobody, false}, {circuit, direct, one, nobody, false},
		{circuit, circuit, nobody, nobody, true},
	} {
		var k tickets
		k.keep(c.from, ticket{peer: c.of})
		if _, ok := k.take(c.to, c.peer); ok != c.want {
			t.Errorf("a ticket from %v of %x for %v of %x: %v", c.from, c.of[:1], c.to, c.peer[:1], ok)
		}
		if len(k.of) != len(k.order) || (len(k.of) == 0) != c.want {
			t.Errorf("%d tickets are left, %d in order", len(k.of), len(k.order))
		}
	}
	var k tickets
	k.keep(circuit, ticket{peer: one, size: 1})
	k.keep(direct, ticket{peer: one, size: 2})
	k.keep(next, ticket{peer: one, size: 3})
	for _, want := range []uint16{3, 1} {
		if got, ok := k.take(other, one); !ok || got.size != want {
			t.Errorf("ticket %d, %v: want the newest, %d", got.size, ok, want)
		}
	}
	if got, ok := k.take(direct, one); !ok || got.size != 2 {
		t.Errorf("ticket %d, %v of the remote itself", got.size, ok)
	}
}

func TestTicketsAreBoundedAndServeOnce(t *testing.T) {
	var k tickets
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)
	}
	for i := range maxTickets + 10 {
		k.keep(at(i), ticket{size: 1452})
		k.keep(at(i), ticket{size: 1200})
	}
	if len(k.of) != maxTickets || len(k.order) != maxTickets {
		t.Fatal(len(k.of), len(k.order))
	}
	if _, ok := k.take(at(0), [32]byte{}); ok {
		t.Fatal("the oldest is still there")
	}
	if got, ok := k.take(at(100), [32]byte{}); !ok || got.size != 1200 {
		t.Fatal(got.size, ok)
	}
	if _, ok := k.take(at(100), [32]byte{}); ok {
		t.Fatal("served twice")
	}
}
