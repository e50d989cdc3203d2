package udp

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/records"
)

// came collects what Await calls.
func came() (f func(netip.AddrPort), from chan netip.AddrPort) {
	from = make(chan netip.AddrPort, 16)
	return func(r netip.AddrPort) { from <- r }, from
}

func TestAwaitIsCalledOnceWithTheFirstRemote(t *testing.T) {
	a, b, c := startNode(t, loopback), startNode(t, loopback), startNode(t, loopback)
	f, from := came()
	third := netip.MustParseAddrPort("127.0.0.1:9")
	defer a.Await([]netip.AddrPort{third, b.LocalAddr(), c.LocalAddr()}, f)()
	b.Direct(a.LocalAddr()).Send(records.BatchOf(100, 100)) // with an id that a does not know
	select {
	case r := <-from:
		if r != b.LocalAddr() {
			t.Fatal(r)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nothing")
	}
	records.Eventually(t, 30*time.Second, "the end of the waiting", func() bool { return a.watches.version.Load() == 0 })
	c.Direct(a.LocalAddr()).Send(records.BatchOf(100))
	b.Direct(a.LocalAddr()).Send(records.BatchOf(100))
	records.Eventually(t, 30*time.Second, "all packets", func() bool { return a.count.Received.Load() == 4 })
	if len(from) != 0 {
		t.Fatal("called again")
	}
}

// A knock is seen by who waits for it, and is nothing to anybody else.
func TestAKnockIsAwaited(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	f, from := came()
	defer a.Await([]netip.AddrPort{b.LocalAddr()}, f)()
	b.SendKnocks([]netip.AddrPort{a.LocalAddr()})
	select {
	case <-from:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing")
	}
	records.Eventually(t, 30*time.Second, "the count", func() bool { return a.count.Unknown.Load() == 1 })
	if a.in.Len() != 0 {
		t.Error(a.in.Len())
	}
}

// Who begins to wait hears of the next packet, whoever sent the one before.
func TestAwaitBeginsWithTheNextPacket(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	ba := b.Direct(a.LocalAddr())
	for range 3 {
		ba.Send(records.BatchOf(100))
		records.Eventually(t, 30*time.Second, "the packet", func() bool { return a.count.Received.Load() > 0 })
		a.count.Received.Store(0)
		f, from := came()
		stop := a.Await([]netip.AddrPort{b.LocalAddr()}, f)
		ba.Send(records.BatchOf(100))
		select {
		case <-from:
		case <-time.After(30 * time.Second):
			t.Fatal("nothing")
		}
		records.Eventually(t, 30*time.Second, "the packet", func() bool { return a.count.Received.Load() > 0 })
		a.count.Received.Store(0)
		stop()
	}
}

func TestAwaitThatIsStoppedIsNotCalled(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	var called atomic.Bool
	stop := a.Await([]netip.AddrPort{b.LocalAddr()}, func(netip.AddrPort) { called.Store(true) })
	stop()
	stop()
	b.Direct(a.LocalAddr()).Send(records.BatchOf(100))
	records.Eventually(t, 30*time.Second, "the packet", func() bool { return a.count.Received.Load() == 1 })
	a.Close()
	if called.Load() || a.watches.version.Load() != 0 {
		t.Error("called, or still waiting")
	}
	a.Await([]netip.AddrPort{b.LocalAddr()}, func(netip.AddrPort) { called.Store(true) })()
	if called.Load() || len(a.watches.all) != 0 {
		t.Error("a closed socket waits")
	}
}

// One that takes its time holds up nothing but Close.
func TestAwaitHoldsUpNobody(t *testing.T) {
	a, b, ab, ba := directPair(t, testOptions(loopback), testOptions(loopback))
	entered, leave := make(chan bool), make(chan bool)
	defer a.Await([]netip.AddrPort{b.LocalAddr()}, func(netip.AddrPort) { close(entered); <-leave })()
	defer close(leave)
	ba.Send(records.Batch(records.New(100, 1)))
	<-entered
	sendAll(t, ab, b, records.Batch(records.New(100, 1)))
	sendAll(t, ba, a, records.Batch(records.New(100, 1)))
}

func TestAwaitEndsByItself(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := &Socket{ending: make(chan struct{})}
		s.Await([]netip.AddrPort{remoteN(1)}, func(netip.AddrPort) { t.Error("called") })
		time.Sleep(awaitTime - time.Second)
		if s.watches.version.Load() == 0 {
			t.Error("too early")
		}
		time.Sleep(2 * time.Second)
		if s.watches.version.Load() != 0 || len(s.watches.all) != 0 {
			t.Error("for ever")
		}
		s.wg.Wait()
	})
}

// Records and packets of QUIC count, other datagrams do not.
func TestHeardFrom(t *testing.T) {
	a, b := unstarted(t, testOptions(loopback)), startNode(t, loopback)
	a.Start(func([]Packet) {})
	a.Handle(a.in)
	t.Cleanup(func() { a.Close() })
	known, foreign := records.New(100, 1), records.New(100, 1)
	foreign[7]++
	a.in.Know(known)
	quic := append([]byte{0x40, 0}, known[2:]...)
	if !a.HeardFrom(b.LocalAddr()).IsZero() {
		t.Fatal("before anything came")
	}
	ba := b.Direct(a.LocalAddr())
	for _, c := range []struct {
		what   string
		packet []byte
		counts bool
	}{{"a record", known, true}, {"of an unknown id", foreign, false}, {"a packet of QUIC", quic, true}, {"neither", make([]byte, 100), false}, {"a record again", known, true}} {
		before, received, began := a.HeardFrom(b.LocalAddr()), a.count.Received.Load(), time.Now()
		ba.Send(records.Batch(c.packet))
		records.Eventually(t, 30*time.Second, "the packet", func() bool { return a.count.Received.Load() > received })
		heard := func() bool { at := a.HeardFrom(b.LocalAddr()); return at != before && !at.Before(began) }
		if c.counts {
			records.Eventually(t, 30*time.Second, c.what, heard)
		} else if time.Sleep(20 * time.Millisecond); heard() {
			t.Errorf("%s counts", c.what)
		}
	}
	if !a.HeardFrom(remoteN(1)).IsZero() {
		t.Error("nobody is heard")
	}
}

func TestWatchesAreBounded(t *testing.T) {
	w, now := new(watches), time.Now()
	for i := range 3 * maxWatched {
		w.heardFrom(remoteN(i), now.Add(time.Duration(i)*time.Second))
	}
	if len(w.all) != maxWatched || w.all[remoteN(3*maxWatched-1)] == nil || w.all[remoteN(0)] != nil {
		t.Fatalf("%d watched, or not those asked for last", len(w.all))
	}
	x := newWait([]netip.AddrPort{remoteN(1), remoteN(2)})
	if !w.await(x) || len(w.all) != maxWatched {
		t.Fatal("a wait does not displace a question")
	}
	many := &wait{over: make(chan struct{})}
	for i := range maxWatched + 1 {
		many.remotes = append(many.remotes, remoteN(10_000+i))
	}
	if w.await(many) || len(w.all) > maxWatched {
		t.Fatal("too many are awaited")
	}
	many.end(w)
	if w.all[remoteN(1)] == nil {
		t.Fatal("a wait was displaced")
	}
	x.end(w)
	if len(w.all) != 0 || w.version.Load() != 0 {
		t.Fatalf("%d left", len(w.all))
	}
}

// While nothing is watched, or the source stays the same, a packet costs a comparison.
func TestWatchingAllocatesNothing(t *testing.T) {
	w := new(watches)
	w.heardFrom(remoteN(1), time.Now())
	s := spotter{all: w}
	if n := testing.AllocsPerRun(100, func() {
		s.begin()
		for i := range 8 {
			s.from(remoteN(i % 3))
			s.heard()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if w.heardFrom(remoteN(1), time.Now()).IsZero() {
		t.Error("not heard")
	}
}
