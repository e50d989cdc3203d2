package udp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// SPEC R-3.2-1.
func TestDirectRecordsArriveUnchangedAndInOrder(t *testing.T) {
	with, without := testOptions(loopback), plainOptions(loopback)
	six, dual := testOptions(netip.MustParseAddrPort("[::1]:0")), testOptions(netip.MustParseAddrPort("[::ffff:127.0.0.1]:0"))
	for name, c := range map[string][2]Options{"offload": {with, with}, "none": {without, without}, "sender only": {with, without}, "IPv6": {six, six}, "mapped": {dual, with}} {
		t.Run(name, func(t *testing.T) {
			a, b, ab, ba := directPair(t, c[0], c[1])
			for i, way := range []struct {
				path link.Direct
				to   *node
			}{{ab, b}, {ba, a}} {
				full, mixed := new(wire.Batch), new(wire.Batch)
				for k := range 600 {
					full.Append(records.New(1452, uint64(k)))
					mixed.Append(records.New(wire.Overhead+(k*k*37)%1421/(1+k%3*100), uint64(k)))
				}
				for _, recs := range []*wire.Batch{full, mixed} {
					calls, runs := sendAll(t, way.path, way.to, recs)
					if way.path.(*directPath).segments() && !c[1].NoOffload && calls > runs {
						t.Errorf("way %d: %d calls for %d runs of one size", i, calls, runs)
					}
				}
			}
			if n := b.count; n.Lost.Load()+n.TooBig.Load()+n.Unknown.Load()+n.Malformed.Load() != 0 {
				t.Errorf("%+v", n)
			}
		})
	}
}

// sendAll sends a batch in pieces that the receive buffer holds and compares. It
// returns how many calls brought the records, and how many runs they are: what the
// sender joins comes joined, and how many runs one call finds is the scheduler's.
func sendAll(t *testing.T, p link.Path, to *node, recs *wire.Batch) (calls, runs int) {
	t.Helper()
	before := to.in.Len()
	to.in.Mu.Lock()
	calls = -to.in.Calls
	to.in.Mu.Unlock()
	for i := 0; i < recs.Len(); i += 100 {
		piece := records.Batch(recs.Slices()[i:min(i+100, recs.Len())]...)
		for from, n := 0, 0; from < piece.Len(); from += n {
			n, _ = runOf(piece, from, true)
			runs++
		}
		if n, err := p.Send(piece); n != piece.Len() || err != nil {
			t.Fatalf("send: %d of %d, %v", n, piece.Len(), err)
		}
		records.Eventually(t, 30*time.Second, "the piece arrives", func() bool { return to.in.Len() == before+i+piece.Len() })
	}
	to.in.Mu.Lock()
	defer to.in.Mu.Unlock()
	for i, rec := range to.in.Recs[before:] {
		if !bytes.Equal(rec, recs.At(i)) {
			t.Fatalf("record %d of %d bytes was changed or moved: %d bytes", i, len(recs.At(i)), len(rec))
		}
	}
	return calls + to.in.Calls, runs
}

func TestRecordsOfARemoteNameItsPath(t *testing.T) {
	a, b, ab, ba := directPair(t, testOptions(loopback), testOptions(loopback))
	sendAll(t, ab, b, records.Batch(records.New(100, 1)))
	if b.in.Paths[0] != link.Path(ba) || b.Direct(a.LocalAddr()) != ba {
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
	_, b, ab, _ := directPair(t, testOptions(loopback), testOptions(loopback))
	if ab.Room() != 1232 {
		t.Fatalf("room of a fresh path: %d", ab.Room())
	}
	sendAll(t, ab, b, records.Batch(records.New(1452, 1), records.New(1372, 2), records.New(8952, 3)))
	if ab.SetRoom(1412); ab.Room() != 1412 {
		t.Fatalf("room: %d", ab.Room())
	}
}

func TestOneReceiveIsOneCallForEachSource(t *testing.T) {
	b := startNode(t, loopback)
	b.in.Know(records.New(32, 0))
	slow := records.NewGate(b.in)
	b.Handle(slow)
	x, y := startNode(t, loopback), startNode(t, loopback)
	x.Direct(b.LocalAddr()).Send(records.Batch(records.New(50, 0)))
	<-slow.Entered
	for i := range 5 {
		x.Direct(b.LocalAddr()).Send(records.Batch(records.New(100, uint64(i)), records.New(90, 0), records.New(100, 0)))
		y.Direct(b.LocalAddr()).Send(records.Batch(records.New(200, uint64(i)), records.New(200, 1)))
	}
	close(slow.Open)
	records.Eventually(t, 30*time.Second, "26 records", func() bool { return b.in.Len() == 26 })
	b.in.Mu.Lock()
	defer b.in.Mu.Unlock()
	if b.in.Calls != 3 {
		t.Fatalf("%d calls for one receive of two sources", b.in.Calls-1)
	}
	for i, n := range []int{1, 16} {
		if b.in.Paths[i].Remote() != x.LocalAddr() || b.in.Paths[2].Remote() != y.LocalAddr() || len(b.in.Recs[n-1]) > 100 {
			t.Fatal("a record of another source")
		}
	}
}

func TestSourceIsWhereThePeerSendsTo(t *testing.T) {
	b := startNode(t, netip.MustParseAddrPort("[::]:0"))
	b.in.Know(records.New(32, 0))
	for _, ip := range []string{"127.0.0.2", "127.0.0.3", "::1"} {
		any4 := netip.MustParseAddrPort("0.0.0.0:0")
		if ip == "::1" {
			any4 = netip.MustParseAddrPort("[::1]:0")
		}
		a := startNode(t, any4)
		a.in.Know(records.New(32, 0))
		target := netip.AddrPortFrom(netip.MustParseAddr(ip), b.LocalAddr().Port())
		sendAll(t, a.Direct(target), b, records.Batch(records.New(100, 1)))
		back := b.in.Paths[len(b.in.Paths)-1].(link.Direct)
		if back.Local() != target {
			t.Fatalf("heard at %v, want %v", back.Local(), target)
		}
		sendAll(t, back, a, records.Batch(records.New(100, 1), records.New(200, 2), records.New(200, 3)))
		if from := a.in.Paths[0].Remote(); from != target {
			t.Fatalf("the answer came from %v, want %v", from, target)
		}
	}
}

func TestSourceThatIsGoneIsDropped(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		local := netip.AddrPortFrom(netip.MustParseAddr(ip), 0)
		wild := netip.MustParseAddrPort("[::]:0")
		_, b, _, _ := directPair(t, testOptions(wild), testOptions(local))
		a := startNode(t, wild)
		ab := a.Direct(b.LocalAddr())
		gone := netip.MustParseAddr("203.0.113.77")
		if local.Addr().Is6() {
			gone = netip.MustParseAddr("2001:db8::77")
		}
		ab.(*directPath).arrived(localAddr{addr: gone}, 0)
		sendAll(t, ab, b, records.Batch(records.New(100, 1), records.New(100, 2)))
		if lost := a.count.Lost.Load(); ab.Local().Addr() == gone || lost != 0 {
			t.Fatalf("local %v, %d lost", ab.Local(), lost)
		}
		if !ab.(*directPath).segments() {
			t.Fatal("segmentation was blamed for it")
		}
	}
}

func TestTooBigForTheLocalLink(t *testing.T) {
	a, b, ab, _ := directPair(t, testOptions(loopback), testOptions(loopback))
	n, err := ab.Send(records.Batch(records.New(100, 1), records.New(65508, 2), records.New(100, 3)))
	if n != 1 || err != link.ErrTooBig || a.count.TooBig.Load() != 1 {
		t.Fatalf("%d, %v, %d counted", n, err, a.count.TooBig.Load())
	}
	records.Eventually(t, 30*time.Second, "the record before it", func() bool { return b.in.Len() == 1 })
	sendAll(t, ab, b, records.Batch(records.New(200, 4)))
}

func TestDirectEndsWithTheSocket(t *testing.T) {
	a, _, ab, _ := directPair(t, testOptions(loopback), testOptions(loopback))
	if n, err := ab.Send(records.Batch()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	a.Close()
	if n, err := ab.Send(records.Batch(records.New(100, 1))); n != 0 || err != link.ErrClosed {
		t.Fatalf("after Close: %d, %v", n, err)
	}
}
