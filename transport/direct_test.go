package transport

import (
	"bytes"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// directPair is two nodes that know each other's records, and their paths.
func directPair(t testing.TB, ca, cb Config) (a, b *node, ab, ba link.Direct) {
	t.Helper()
	a, b = startConfig(t, ca), startConfig(t, cb)
	a.in.know(record(32, 0))
	b.in.know(record(32, 0))
	return a, b, a.Direct(b.LocalAddr()), b.Direct(a.LocalAddr())
}

func plainConfig(addr netip.AddrPort) Config {
	c := testConfig(addr)
	c.NoOffload = true
	return c
}

// SPEC R-3.2-1.
func TestDirectRecordsArriveUnchangedAndInOrder(t *testing.T) {
	with, without := testConfig(loopback), plainConfig(loopback)
	six, dual := testConfig(netip.MustParseAddrPort("[::1]:0")), testConfig(netip.MustParseAddrPort("[::ffff:127.0.0.1]:0"))
	for name, c := range map[string][2]Config{"offload": {with, with}, "none": {without, without}, "sender only": {with, without}, "IPv6": {six, six}, "mapped": {dual, with}} {
		t.Run(name, func(t *testing.T) {
			a, b, ab, ba := directPair(t, c[0], c[1])
			for i, way := range []struct {
				path link.Direct
				to   *node
			}{{ab, b}, {ba, a}} {
				full, mixed := new(wire.Batch), new(wire.Batch)
				for k := range 600 {
					full.Append(record(1452, uint64(k)))
					mixed.Append(record(wire.Overhead+(k*k*37)%1421/(1+k%3*100), uint64(k)))
				}
				sendAll(t, way.path, way.to, full)
				sendAll(t, way.path, way.to, mixed)
				if calls := way.to.in.calls; !c[1].NoOffload && calls > 400 {
					t.Errorf("way %d: %d calls for 1200 records", i, calls)
				}
			}
			if s := b.Stats(); s.DirectLost+s.DirectTooBig+s.UnknownRecords+s.Malformed != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// sendAll sends a batch in pieces that the receive buffer holds and compares.
func sendAll(t *testing.T, p link.Path, to *node, recs *wire.Batch) {
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

func TestRecordsOfARemoteNameItsPath(t *testing.T) {
	a, b, ab, ba := directPair(t, testConfig(loopback), testConfig(loopback))
	sendAll(t, ab, b, batchOf(record(100, 1)))
	if b.in.paths[0] != link.Path(ba) || b.Direct(a.LocalAddr()) != ba {
		t.Fatal("two paths to one remote")
	}
	mapped := netip.AddrPortFrom(netip.AddrFrom16(a.LocalAddr().Addr().As16()), a.LocalAddr().Port())
	if b.Direct(mapped) != ba {
		t.Fatal("a mapped address has a path of its own")
	}
	if ba.Remote() != a.LocalAddr() || ba.Local() != b.LocalAddr() || ba.Kind() != link.KindDirect || ba.RTT() != 0 {
		t.Fatalf("%v -> %v, %v", ba.Local(), ba.Remote(), ba.Kind())
	}
}

func TestRoomIsWhatWasProvenAndDoesNotBindSend(t *testing.T) {
	_, b, ab, _ := directPair(t, testConfig(loopback), testConfig(loopback))
	if ab.Room() != 1232 {
		t.Fatalf("room of a fresh path: %d", ab.Room())
	}
	sendAll(t, ab, b, batchOf(record(1452, 1), record(1372, 2), record(8952, 3)))
	if ab.SetRoom(1412); ab.Room() != 1412 {
		t.Fatalf("room: %d", ab.Room())
	}
}

func TestOneReceiveIsOneCallForEachSource(t *testing.T) {
	b := startNode(t, loopback)
	b.in.know(record(32, 0))
	slow := &gate{open: make(chan struct{}), entered: make(chan struct{}), in: b.in}
	b.Handle(slow)
	x, y := startNode(t, loopback), startNode(t, loopback)
	x.Direct(b.LocalAddr()).Send(batchOf(record(50, 0)))
	<-slow.entered
	for i := range 5 {
		x.Direct(b.LocalAddr()).Send(batchOf(record(100, uint64(i)), record(90, 0), record(100, 0)))
		y.Direct(b.LocalAddr()).Send(batchOf(record(200, uint64(i)), record(200, 1)))
	}
	close(slow.open)
	eventually(t, 30*time.Second, "26 records", func() bool { return b.in.len() == 26 })
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	if b.in.calls != 3 {
		t.Fatalf("%d calls for one receive of two sources", b.in.calls-1)
	}
	for i, n := range []int{1, 16} {
		if b.in.paths[i].Remote() != x.LocalAddr() || b.in.paths[2].Remote() != y.LocalAddr() || len(b.in.recs[n-1]) > 100 {
			t.Fatal("a record of another source")
		}
	}
}

func TestSourceIsWhereThePeerSendsTo(t *testing.T) {
	b := startNode(t, netip.MustParseAddrPort("[::]:0"))
	b.in.know(record(32, 0))
	for _, ip := range []string{"127.0.0.2", "127.0.0.3", "::1"} {
		any4 := netip.MustParseAddrPort("0.0.0.0:0")
		if ip == "::1" {
			any4 = netip.MustParseAddrPort("[::1]:0")
		}
		a := startNode(t, any4)
		a.in.know(record(32, 0))
		target := netip.AddrPortFrom(netip.MustParseAddr(ip), b.LocalAddr().Port())
		sendAll(t, a.Direct(target), b, batchOf(record(100, 1)))
		back := b.in.paths[len(b.in.paths)-1].(link.Direct)
		if back.Local() != target {
			t.Fatalf("heard at %v, want %v", back.Local(), target)
		}
		sendAll(t, back, a, batchOf(record(100, 1), record(200, 2), record(200, 3)))
		if from := a.in.paths[0].Remote(); from != target {
			t.Fatalf("the answer came from %v, want %v", from, target)
		}
	}
}

func TestSourceThatIsGoneIsDropped(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		local := netip.AddrPortFrom(netip.MustParseAddr(ip), 0)
		wild := netip.MustParseAddrPort("[::]:0")
		_, b, _, _ := directPair(t, testConfig(wild), testConfig(local))
		a := startNode(t, wild)
		ab := a.Direct(b.LocalAddr())
		gone := netip.MustParseAddr("203.0.113.77")
		if local.Addr().Is6() {
			gone = netip.MustParseAddr("2001:db8::77")
		}
		ab.(*directPath).arrived(localAddr{addr: gone}, 0)
		sendAll(t, ab, b, batchOf(record(100, 1), record(100, 2)))
		if s := a.Stats(); ab.Local().Addr() == gone || s.DirectLost != 0 {
			t.Fatalf("local %v, %+v", ab.Local(), s)
		}
		if !ab.(*directPath).segments() {
			t.Fatal("segmentation was blamed for it")
		}
	}
}

func TestTooBigForTheLocalLink(t *testing.T) {
	a, b, ab, _ := directPair(t, testConfig(loopback), testConfig(loopback))
	n, err := ab.Send(batchOf(record(100, 1), record(65508, 2), record(100, 3)))
	if n != 1 || err != link.ErrTooBig || a.Stats().DirectTooBig != 1 {
		t.Fatalf("%d, %v, %+v", n, err, a.Stats())
	}
	eventually(t, 30*time.Second, "the record before it", func() bool { return b.in.len() == 1 })
	sendAll(t, ab, b, batchOf(record(200, 4)))
}

func TestDirectEndsWithTheTransport(t *testing.T) {
	a, _, ab, _ := directPair(t, testConfig(loopback), testConfig(loopback))
	if n, err := ab.Send(batchOf()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	a.Close()
	if n, err := ab.Send(batchOf(record(100, 1))); n != 0 || err != link.ErrClosed {
		t.Fatalf("after Close: %d, %v", n, err)
	}
}

func TestQUICWorksBesideDirectLoad(t *testing.T) {
	t.Run("offload", func(t *testing.T) { besideLoad(t, testConfig(loopback)) })
	t.Run("none", func(t *testing.T) { besideLoad(t, plainConfig(loopback)) })
}

func besideLoad(t *testing.T, c Config) {
	a, b, ab, _ := directPair(t, c, c)
	ca, cb := connect(t, a, b, b.LocalAddr())
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		recs := new(wire.Batch)
		for i := range 45 {
			recs.Append(record(1452, uint64(i)))
		}
		for !stop.Load() {
			ab.Send(recs)
			time.Sleep(time.Millisecond)
		}
	}()
	defer func() { stop.Store(true); <-ended }()
	for range 3 {
		s, err := ca.OpenStream(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		go func() { s.Write(make([]byte, 300_000)); s.Close() }()
		r, err := cb.AcceptStream(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		r.SetDeadline(time.Now().Add(10 * time.Second))
		for got := 0; got < 300_000; {
			n, err := r.Read(make([]byte, 50_000))
			if got += n; err != nil && got < 300_000 {
				t.Fatal(got, err)
			}
		}
		r.Close()
	}
	if ca.Err() != nil || cb.Err() != nil {
		t.Fatal(ca.Err(), cb.Err())
	}
}
