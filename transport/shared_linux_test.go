package transport

import (
	"crypto/rand"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// SPEC R-3.1-1.
func TestTaggedUnknownPacketsAreCountedAndQUICGoesOn(t *testing.T) {
	a, b, ca, cb := pair(t)
	raw := rawSender(t, b)
	for i := range 50 {
		raw.Write(records.New(200+i, 1))
	}
	records.Eventually(t, 30*time.Second, "50 unknown records counted", func() bool { return b.Stats().UnknownRecords == 50 })
	wantTraffic(t, a, b, ca, cb)
	faults.Report(t, "R7", true, "50 records of an unknown id: counted, none handed over")
}

func TestRecordsAreCountedWhileDirectIsOff(t *testing.T) {
	conf := testConfig(loopback)
	conf.Carriers = CarriersOf(link.KindDatagram, link.KindUTCP)
	b := startConfig(t, conf)
	known := records.New(300, 1)
	b.in.Know(known)
	rawSender(t, b).Write(known)
	records.Eventually(t, 30*time.Second, "a known record without a path counted", func() bool { return b.Stats().NoPath == 1 })
	if b.Direct(loopback) != nil || b.in.Len() != 0 {
		t.Fatal("the direct carrier is not off")
	}
	a := startNode(t, loopback)
	connect(t, a, b, b.LocalAddr())
}

func TestRandomBytesOfEveryLengthHarmNothing(t *testing.T) {
	a, b, ca, cb := pair(t)
	raw := rawSender(t, b)
	buf := make([]byte, 1500)
	for n := range len(buf) + 1 {
		rand.Read(buf)
		raw.Write(buf[:n])
		if n%64 == 0 { // no more than the socket holds: this is about contents
			records.Eventually(t, 30*time.Second, "what was sent", func() bool { return b.Stats().Received >= uint64(n) })
		}
	}
	raw.Write(make([]byte, 9000))
	records.Eventually(t, 30*time.Second, "all of it received", func() bool { return b.Stats().Received >= 1500 })
	wantTraffic(t, a, b, ca, cb)
	s := b.Stats()
	if s.Malformed == 0 || ca.Err() != nil || cb.Err() != nil {
		t.Fatalf("stats %+v, %v, %v", s, ca.Err(), cb.Err())
	}
	connect(t, a, b, b.LocalAddr())
}

func rawSender(t *testing.T, to *node) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", to.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
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
			recs.Append(records.New(1452, uint64(i)))
		}
		for !stop.Load() {
			ab.Send(recs)
			time.Sleep(time.Millisecond)
		}
	}()
	defer func() { stop.Store(true); <-ended }()
	for range 3 {
		s, err := ca.OpenStream(records.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		go func() { s.Write(make([]byte, 300_000)); s.Close() }()
		r, err := cb.AcceptStream(records.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		r.SetDeadline(time.Now().Add(time.Minute))
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

func TestErrorsOfOneRemoteHarmNoOther(t *testing.T) {
	a, b, ab, ba := directPair(t, testConfig(loopback), testConfig(loopback))
	ca, cb := connect(t, a, b, b.LocalAddr())
	defer func() {
		if t.Failed() {
			t.Logf("%d and %d arrived; %+v; %+v", a.in.Len(), b.in.Len(), a.Stats(), b.Stats())
		}
	}()
	p := a.Direct(nobody(t, "127.0.0.1"))
	for i := range 300 {
		p.Send(records.Batch(records.New(100, 1)))
		if n, err := ab.Send(records.Batch(records.New(200, uint64(i)))); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		ba.Send(records.Batch(records.New(200, uint64(i))))
	}
	records.Eventually(t, 30*time.Second, "all records both ways", func() bool { return a.in.Len() == 300 && b.in.Len() == 300 })
	wantTraffic(t, a, b, ca, cb)
	records.Eventually(t, 30*time.Second, "ICMP counted", func() bool { return a.Stats().ICMPErrors > 0 })
	if s := a.Stats(); s.SendErrors+s.DirectLost+s.ReadErrors != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestQUICsOwnPacketsBringHints(t *testing.T) {
	a := startNode(t, loopback)
	gone := nobody(t, "127.0.0.1")
	go a.Dial(records.Context(t), wire.LinkQUIC, gone)
	records.Eventually(t, 30*time.Second, "the hint", func() bool { return a.in.Missing(gone) > 0 })
	a.Close()
}

// nobody is an address where nothing listens, so the kernel answers with ICMP.
func nobody(t *testing.T, ip string) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(netip.MustParseAddr(ip), 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return netaddr.PortOf(c.LocalAddr())
}

func TestSocketBuffersStayOurs(t *testing.T) {
	a := startNode(t, loopback)
	rc, err := a.udp.Patient().SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	want, err := ProbeBuffers()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) {
		for opt, asked := range map[int]int{syscall.SO_RCVBUF: want.WantReceive, syscall.SO_SNDBUF: want.WantSend} {
			// The kernel doubles what is asked for, and caps it without privilege.
			if n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, opt); err != nil || n > 2*asked || n < 200_000 {
				t.Errorf("buffer %d, %v", n, err)
			}
		}
	})
}
