package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// meet joins two new nodes by a relay.
func meet(t testing.TB) (a, b *end, r *relay) {
	t.Helper()
	r = newRelay()
	a, b = r.join(startNode(t, loopback)), r.join(startNode(t, loopback))
	r.circuit(a, b)
	return a, b, r
}

// connectThrough dials from a to b through their circuit.
func connectThrough(t testing.TB, a, b *end) (dialled, accepted link.Conn) {
	t.Helper()
	return connect(t, a.node, b.node, a.virtual)
}

// talk sends a message of n bytes each way, on one stream.
func talk(ctx context.Context, ca, cb link.Conn, n int) error {
	out, err := ca.OpenStream(ctx)
	if err != nil {
		return err
	}
	defer out.Close()
	sent := bytes.Repeat([]byte("l2tun"), (n+4)/5)[:n]
	failed := make(chan error, 1)
	go func() {
		in, err := cb.AcceptStream(ctx)
		if err == nil {
			defer in.Close()
			got := make([]byte, n)
			if _, err = io.ReadFull(in, got); err == nil {
				_, err = in.Write(got)
			}
		}
		failed <- err
	}()
	deadline, _ := ctx.Deadline()
	out.SetDeadline(deadline)
	if _, err := out.Write(sent); err != nil {
		return err
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(out, got); err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return errors.New("another message came back")
	}
	return <-failed
}

// A connection through a circuit has streams and nothing else, both ends see the
// circuit's address, and no packet has more than 1200 bytes.
func TestQUICThroughACircuit(t *testing.T) {
	a, b, r := meet(t)
	ca, cb := connectThrough(t, a, b)
	if err := talk(records.Context(t), ca, cb, 1<<20); err != nil {
		t.Fatal(err)
	}
	if ca.Remote() != a.virtual || cb.Remote() != b.virtual || ca.Path().Remote() != a.virtual {
		t.Errorf("remotes %v, %v and %v", ca.Remote(), cb.Remote(), ca.Path().Remote())
	}
	_, va := ca.Binding()
	if _, vb := cb.Binding(); va != vb || va == [32]byte{} {
		t.Error("bindings differ")
	}
	if n, err := ca.Path().Send(records.Batch(records.New(100, 1))); n != 0 || !errors.Is(err, link.ErrOff) {
		t.Errorf("the path took %d records: %v", n, err)
	}
	if d := ca.(link.DirectConn).Direct(); d != nil {
		t.Errorf("it has a direct path: %v", d)
	}
	if n := r.largest(); n != 1200 {
		t.Errorf("the largest packet has %d bytes", n)
	}
	if err := ca.Close("bye"); err != nil {
		t.Fatal(err)
	}
	<-cb.Done()
	if !errors.Is(cb.Err(), ErrPeerClosed) {
		t.Error(cb.Err())
	}
}

// Other labels in mid-connection, and a hub that is silent for a time, are not seen.
func TestLabelsChangeBelowAConnection(t *testing.T) {
	a, b, r := meet(t)
	ca, cb := connectThrough(t, a, b)
	ctx := records.Context(t)
	for range 3 {
		r.relabel(a)
		r.relabel(b)
		if err := talk(ctx, ca, cb, 100_000); err != nil {
			t.Fatal(err)
		}
		if err := talk(ctx, cb, ca, 1000); err != nil {
			t.Fatal(err)
		}
	}
	r.silence(true)
	time.AfterFunc(300*time.Millisecond, func() { r.silence(false) })
	if err := talk(ctx, ca, cb, 100_000); err != nil {
		t.Error(err)
	}
}

// The second dial from a circuit whose first connection has not proven itself is sent
// to address validation, and a label that changes meanwhile does not spoil its token.
func TestRetryThroughACircuit(t *testing.T) {
	a, b, r := meet(t)
	connectThrough(t, a, b)
	r.relabelOften(a)
	ca, cb := connectThrough(t, a, b)
	if b.Stats().Retries == 0 {
		t.Error("no Retry")
	}
	if err := talk(records.Context(t), ca, cb, 1000); err != nil {
		t.Error(err)
	}
}

// early dials with a ticket, says something at once and reports whether it was taken.
func early(t *testing.T, ctx context.Context, a, b *node, remote netip.AddrPort) bool {
	t.Helper()
	var e link.EarlyConn
	records.Eventually(t, 30*time.Second, "a ticket", func() (ok bool) {
		var err error
		e, err = a.DialEarly(ctx, remote)
		return err == nil
	})
	if _, err := e.Stream().Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan link.Conn, 1)
	go func() {
		c, _ := b.Accept(ctx)
		accepted <- c
	}()
	ca, taken, err := e.Complete(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cb := <-accepted
	if cb == nil || netaddr.IsVirtual(cb.Remote().Addr()) != netaddr.IsVirtual(remote.Addr()) {
		t.Fatalf("accepted %v", cb)
	}
	if taken {
		st, err := cb.AcceptStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(st, got); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	for _, c := range [][2]link.Conn{{cb, ca}, {ca, cb}} { // the second answer comes behind the next ticket
		if err := talk(ctx, c[0], c[1], 1000); err != nil {
			t.Fatal(err)
		}
	}
	return taken
}

// What began through a circuit is resumed on the direct path, that on the next
// circuit, and that on one more.
func TestTicketsOfCircuitsServeThePeer(t *testing.T) {
	a, b, r := meet(t)
	ctx := link.DialFor(records.Context(t), [32]byte{7})
	other := link.DialFor(records.Context(t), [32]byte{8})
	accepted := make(chan link.Conn, 1)
	go func() {
		c, _ := b.Accept(ctx)
		accepted <- c
	}()
	ca, err := a.Dial(ctx, wire.LinkQUIC, a.virtual)
	if err != nil {
		t.Fatal(err)
	}
	if err := talk(ctx, ca, <-accepted, 1000); err != nil { // the ticket is here
		t.Fatal(err)
	}
	if _, err := a.DialEarly(other, b.LocalAddr()); err == nil {
		t.Fatal("another peer's ticket was used")
	}
	if !early(t, ctx, a.node, b.node, b.LocalAddr()) {
		t.Error("the direct path did not resume")
	}
	if !errors.Is(ca.Close("direct is proven"), nil) {
		t.Error("close")
	}
	for range 2 {
		r.circuit(a, b)
		if !early(t, ctx, a.node, b.node, a.virtual) {
			t.Error("a circuit did not resume")
		}
	}
}

// A hub that takes the label off and sends the packets from its own port reaches no
// connection.
func TestHubCannotMoveAConnectionToItself(t *testing.T) {
	a, b, r := meet(t)
	ca, cb := connectThrough(t, a, b)
	hub, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	before := b.Stats().UnknownConns
	r.strip(b, func(packet []byte) { hub.WriteToUDPAddrPort(packet, b.LocalAddr()) })
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := talk(ctx, ca, cb, 1000); err == nil {
		t.Error("what came without a label was delivered")
	}
	records.Eventually(t, 30*time.Second, "a packet for an unknown connection", func() bool { return b.Stats().UnknownConns > before })
	hub.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _, err := hub.ReadFrom(make([]byte, 1500)); err == nil {
		t.Errorf("it was answered with %d bytes", n)
	}
	r.strip(b, nil)
	if err := talk(records.Context(t), cb, ca, 1000); err != nil {
		t.Error("afterwards:", err)
	}
	faults.Report(t, "N10", !t.Failed(), "a second of packets without labels from the hub's port: none delivered, none answered, %d for no connection; then the connection goes on by its circuit", b.Stats().UnknownConns-before)
}

// A circuit that has ended is silence: the dial ends with its context and not before,
// and a connection waits.
func TestEndedCircuitIsSilence(t *testing.T) {
	a, b, r := meet(t)
	ca, cb := connectThrough(t, a, b)
	r.silence(true)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := a.Dial(ctx, wire.LinkQUIC, a.virtual); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	talk(ctx, ca, cb, 1000)
	if ca.Err() != nil || cb.Err() != nil {
		t.Error(ca.Err(), cb.Err())
	}
	r.silence(false)
	if err := talk(records.Context(t), cb, ca, 1000); err != nil {
		t.Error(err)
	}
}

// Whoever has a circuit may send what it likes: strangers have four connections
// through it, the packets that are looked at have a limit, and others go on.
func TestFloodThroughACircuitIsBounded(t *testing.T) {
	r := newRelay()
	a, b, c := r.join(startNode(t, loopback)), r.join(startNode(t, loopback)), r.join(startNode(t, loopback))
	r.circuit(a, b)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	accepted := make(chan link.Conn, 100)
	go func() {
		for {
			c, err := b.Accept(ctx)
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	failed := 0
	for range 10 {
		dial, cancel := context.WithTimeout(ctx, 20*time.Second)
		if _, err := a.Dial(dial, wire.LinkQUIC, a.virtual); err != nil {
			failed++
		}
		cancel()
	}
	if failed != 6 || b.Stats().QUICRefused == 0 {
		t.Errorf("%d of 10 failed, %d refused", failed, b.Stats().QUICRefused)
	}
	for range 10 - failed {
		<-accepted
	}
	initial := make([]byte, 1200)
	copy(initial, []byte{0xC0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e})
	packets, begun, before := [][]byte{initial, initial, initial, initial}, time.Now(), b.Stats().TurnedAway
	for range 2000 {
		b.ReceiveVirtual(b.virtual, packets)
	}
	looked := 8000 - int(b.Stats().TurnedAway-before)
	if most := 2000 + int(15_000*time.Since(begun).Seconds()); looked > most {
		t.Errorf("%d of 8000 first packets were looked at, more than %d", looked, most)
	}
	b.ReceiveVirtual(b.virtual, [][]byte{nil, {0x40}, {0xC0, 0, 0, 0, 1, 30}, records.New(100, 1)})
	if n := b.Stats().Malformed; n < 4 {
		t.Errorf("%d malformed", n)
	}
	r.circuit(c, b)
	cc, err := c.Dial(ctx, wire.LinkQUIC, c.virtual)
	if err != nil {
		t.Fatalf("another circuit: %v\n%+v\n%+v", err, b.Stats(), c.Stats())
	}
	if err := talk(ctx, cc, <-accepted, 1000); err != nil {
		t.Error("another circuit:", err)
	}
	faults.Report(t, "N11", !t.Failed(), "4 of 10 dials succeed; of 8000 first packets %d are looked at; another circuit is served", looked)
}

// A virtual address never leaves by a socket: there is no direct path, no TCP, and no
// endpoint there.
func TestVirtualAddressesStayInside(t *testing.T) {
	a, b, _ := meet(t)
	if d := a.Direct(a.virtual); d != nil {
		t.Errorf("a direct path to %v", d.Remote())
	}
	ctx := records.Context(t)
	if _, err := a.Dial(ctx, wire.LinkUTCP, a.virtual); err != link.ErrOff {
		t.Error("TCP:", err)
	}
	if _, err := a.Resolve(ctx, "[100::1]:4242"); err == nil {
		t.Error("100::1 is taken for an endpoint")
	}
	if err := DialableEndpoint("[100::1]:4242"); err == nil {
		t.Error("100::1 would be dialled")
	}
	if err := a.Check(a.virtual); err != nil {
		t.Error(err)
	}
	ca, _ := connectThrough(t, a, b)
	fresh, err := a.DialFresh(ctx, a.virtual)
	if err != nil || fresh.Remote() != ca.Remote() {
		t.Error("from a new port:", fresh, err)
	}
}

// Who takes over a Transport with connections takes over what they send.
func TestAnotherOwnerOfCircuits(t *testing.T) {
	a, b, _ := meet(t)
	ca, cb := connectThrough(t, a, b)
	var taken atomic.Int64
	a.HandleVirtual(func(to netip.AddrPort, packets *wire.Batch) { taken.Add(1); a.send(to, packets) })
	if err := talk(records.Context(t), ca, cb, 1000); err != nil || taken.Load() == 0 {
		t.Errorf("%v, %d packets by the new owner", err, taken.Load())
	}
	connectThrough(t, a, b)
}

// Without QUIC there is none through circuits either.
func TestCircuitsNeedQUIC(t *testing.T) {
	c := testConfig(loopback)
	c.Carriers = CarriersOf(link.KindUTCP)
	a := startConfig(t, c)
	at := netip.MustParseAddrPort("[100::1]:1")
	a.HandleVirtual(func(netip.AddrPort, *wire.Batch) { t.Error("a packet left") })
	a.ReceiveVirtual(at, [][]byte{make([]byte, 1200)})
	if _, err := a.Dial(records.Context(t), wire.LinkQUIC, at); err != link.ErrOff {
		t.Error(err)
	}
	if _, err := a.DialEarly(records.Context(t), at); err != link.ErrOff {
		t.Error(err)
	}
	if err := a.Check(at); !errors.Is(err, link.ErrNoRoute) {
		t.Error(err)
	}
}
