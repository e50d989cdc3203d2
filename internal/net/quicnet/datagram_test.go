package quicnet

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/records"
)

func TestSixHundredFullRecordsArriveUnchanged(t *testing.T) {
	a, b, ca, cb := pair(t)
	defer func() {
		if t.Failed() {
			t.Logf("%d arrived; sender %+v; receiver %+v; QUIC %+v", b.in.Len(), a.count, b.count, ca.(*conn).qc.ConnectionStats())
		}
	}()
	if ca.Path().Room() != 1415 || cb.Path().Room() != 1415 {
		t.Fatalf("rooms %d and %d", ca.Path().Room(), cb.Path().Room())
	}
	const total, burst = 600, 20
	missing, twice := make(map[string]bool), make(map[string]int)
	for i := range total {
		missing[string(records.New(1415, uint64(i)))] = true
	}
	seen := 0
	for round := 0; len(missing) > 0; round++ {
		if round == 2*total/burst { // a busy machine may lose some to the age limit, but not half
			t.Fatalf("%d of %d records did not arrive", len(missing), total)
		}
		want := seen
		for r := range missing {
			if n, err := ca.Path().Send(records.Batch([]byte(r))); n != 1 || err != nil {
				t.Fatalf("send: %d, %v", n, err)
			}
			twice[r]++
			if want++; want == seen+burst {
				break
			}
		}
		for end := time.Now().Add(500 * time.Millisecond); b.in.Len() < want && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		b.in.Mu.Lock()
		for _, r := range b.in.Recs[seen:] {
			if twice[string(r)]--; twice[string(r)] < 0 { // one that is late has been sent again
				t.Fatal("a record was changed, or came more often than it was sent")
			}
			delete(missing, string(r))
		}
		seen = len(b.in.Recs)
		b.in.Mu.Unlock()
	}
}

func TestRecordsArriveInBatches(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	slow := records.NewGate(b.in)
	b.Handle(slow)
	ca, cb := connect(t, a, b, b.LocalAddr())
	ca.Path().Send(records.Batch(records.New(100, 1)))
	<-slow.Entered
	before := cameTo(cb)
	for range 3 {
		recs := records.Batch()
		for i := range 20 {
			recs.Append(records.New(100, uint64(i)))
		}
		ca.Path().Send(recs)
	}
	records.Eventually(t, 30*time.Second, "60 records at the other end", func() bool { return cameTo(cb) >= before+60*100 })
	time.Sleep(20 * time.Millisecond) // from the connection into its queue
	close(slow.Open)
	records.Eventually(t, 30*time.Second, "61 records", func() bool { return b.in.Len() == 61 })
	if b.in.Calls > 4 {
		t.Fatalf("%d calls for 61 records", b.in.Calls)
	}
}

func TestSendSaysWhatItTook(t *testing.T) {
	_, _, ca, _ := pair(t)
	n, err := ca.Path().Send(records.Batch(records.New(100, 1), records.New(1416, 2), records.New(100, 3)))
	if n != 1 || err != link.ErrTooBig {
		t.Fatalf("too big: %d, %v", n, err)
	}
	if n, err := ca.Path().Send(records.Batch()); n != 0 || err != nil {
		t.Fatalf("nothing: %d, %v", n, err)
	}
}

// SPEC R-3.5-1.
func TestDatagramsThatAreNoRecordsAreDropped(t *testing.T) {
	a, b, ca, cb := pair(t)
	ca.(*conn).qc.SendDatagram([]byte("hello"))
	ca.(*conn).qc.SendDatagram(nil)
	records.Eventually(t, 30*time.Second, "two bad datagrams counted", func() bool { return b.count.Bad.Load() == 2 })
	wantTraffic(t, a, b, ca, cb)
}

func TestSendNeverBlocksWhenThePeerIsGone(t *testing.T) {
	a, sock := startFaulty(t)
	b := startNode(t, loopback)
	ca, _ := connect(t, a, b, b.LocalAddr())
	sock.errno.Store(int64(101)) // ENETUNREACH: a black hole from here on
	recs := records.Batch()
	for i := range 40 {
		recs.Append(records.New(1415, uint64(i)))
	}
	var worst time.Duration
	taken, refused := 0, 0
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		begin := time.Now()
		n, err := ca.Path().Send(recs)
		worst = max(worst, time.Since(begin))
		taken += n
		if err == link.ErrQueueFull {
			refused += recs.Len() - n
			time.Sleep(time.Millisecond)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if worst > time.Second || refused == 0 {
		t.Fatalf("a send took %v; %d taken, %d refused", worst, taken, refused)
	}
	if full := a.count.Full.Load(); full != uint64(refused) {
		t.Fatalf("%d refused, %d counted", refused, full)
	}
	records.Eventually(t, 30*time.Second, "some counted as too old", func() bool { return a.count.Old.Load() > 0 })
	// What was sent last is fresh: records older than 100 ms do not wait.
	sock.errno.Store(0)
	mark := records.New(500, 77)
	time.Sleep(150 * time.Millisecond)
	records.Eventually(t, 30*time.Second, "a fresh record after the hole", func() bool {
		ca.Path().Send(records.Batch(mark))
		time.Sleep(20 * time.Millisecond)
		b.in.Mu.Lock()
		defer b.in.Mu.Unlock()
		n := len(b.in.Recs)
		return n > 0 && bytes.Equal(b.in.Recs[n-1], mark)
	})
}

func TestPollContextReturnsWhatIsThere(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	conf, _ := tlsConfig()
	defer a.amplification.exempt(b.LocalAddr())()
	qc, err := a.dialler.qt.Dial(records.Context(t), net.UDPAddrFromAddrPort(b.LocalAddr()), conf, dialConfig(fullPacket))
	if err != nil {
		t.Fatal(err)
	}
	cb, err := b.Accept(records.Context(t)) // nobody but this test receives at the other end
	if err != nil {
		t.Fatal(err)
	}
	poll := newPollContext()
	if _, err := qc.ReceiveDatagram(poll.reset()); err != context.Canceled {
		t.Fatalf("empty queue: %v", err)
	}
	for range 3 {
		cb.Path().Send(records.Batch(records.New(100, 1)))
	}
	for i := range 3 {
		records.Eventually(t, 30*time.Second, "a datagram", func() bool {
			b, err := qc.ReceiveDatagram(poll.reset())
			if err != nil && err != context.Canceled || err == nil && len(b) != 100 {
				t.Fatalf("datagram %d: %d bytes, %v", i, len(b), err)
			}
			return err == nil
		})
	}
	if _, err := qc.ReceiveDatagram(poll.reset()); err != context.Canceled {
		t.Fatalf("emptied queue: %v", err)
	}
}

// SPEC R-3.4-2.
func TestPeerWithoutDatagramsIsRefused(t *testing.T) {
	a := startNode(t, loopback)
	conf, _ := tlsConfig()
	ln, err := quic.ListenAddr("127.0.0.1:0", conf, &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := a.Dial(records.Context(t), netaddr.PortOf(ln.Addr())); !errors.Is(err, ErrNoDatagram) {
		t.Fatalf("dial: %v", err)
	}
}

// cameTo is how many bytes have come to an end of a connection.
func cameTo(c link.Conn) uint64 { return c.(*conn).qc.ConnectionStats().BytesReceived }

// relay passes UDP packets of at most limit bytes between one client and a server, and
// counts the larger ones.
func relay(t *testing.T, server netip.AddrPort, limit int) (at netip.AddrPort, larger *atomic.Int64) {
	t.Helper()
	front, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	larger = new(atomic.Int64)
	client := make(chan netip.AddrPort, 1)
	wg.Go(func() {
		buf := make([]byte, 2048)
		var first sync.Once
		for {
			n, from, err := front.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			first.Do(func() { client <- from })
			if n > limit {
				larger.Add(1)
				continue
			}
			back.Write(buf[:n])
		}
	})
	wg.Go(func() {
		buf := make([]byte, 2048)
		var to netip.AddrPort
		for {
			n, err := back.Read(buf)
			if err != nil {
				return
			}
			if !to.IsValid() {
				to = <-client
			}
			if n > limit {
				larger.Add(1)
				continue
			}
			front.WriteToUDPAddrPort(buf[:n], to)
		}
	})
	t.Cleanup(func() { front.Close(); back.Close(); wg.Wait() })
	return netaddr.PortOf(front.LocalAddr()), larger
}

// SPEC R-3.4-4.
func TestSmallPathMTUConnectsWithSmallPackets(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	at, larger := relay(t, b.LocalAddr(), 1250)
	begin := time.Now()
	ca, cb := connect(t, a, b, at)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("connected after %v", took)
	}
	if larger.Load() == 0 {
		t.Error("full packets were not tried")
	}
	if ca.Path().Room() != 1163 || cb.Path().Room() != 1163 {
		t.Errorf("rooms %d and %d, want 1163", ca.Path().Room(), cb.Path().Room())
	}
	records.Eventually(t, 30*time.Second, "full records both ways", func() bool { // a busy machine may lose some to the age limit
		ca.Path().Send(records.Batch(records.New(1163, 1)))
		cb.Path().Send(records.Batch(records.New(1163, 1)))
		return a.in.Len() >= 3 && b.in.Len() >= 3
	})
	wantTraffic(t, a, b, ca, cb)
}
