package transport

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

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

func TestRefusalIsReportedOnceASecond(t *testing.T) {
	for _, c := range []struct{ listen, remote string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"[::]:0", "127.0.0.1"}, {"[::]:0", "::1"}, {"[::1]:0", "::1"},
	} {
		a, b, ab, _ := directPair(t, testConfig(netip.MustParseAddrPort(c.listen)), testConfig(loopback))
		gone := nobody(t, c.remote)
		p := a.Direct(gone)
		for range 20 {
			p.Send(batchOf(record(100, 1)))
			time.Sleep(time.Millisecond)
		}
		eventually(t, 30*time.Second, "the hint", func() bool { return a.in.unreachable(gone) > 0 })
		if n := a.in.unreachable(gone); n != 1 || a.Stats().ICMPErrors < 10 {
			t.Errorf("%v: reported %d times in a moment, %d errors", c, n, a.Stats().ICMPErrors)
		}
		if c.listen != "[::1]:0" {
			sendAll(t, ab, b, batchOf(record(100, 1), record(1000, 2)))
		}
	}
}

func TestErrorsOfOneRemoteHarmNoOther(t *testing.T) {
	a, b, ab, ba := directPair(t, testConfig(loopback), testConfig(loopback))
	ca, cb := connect(t, a, b, b.LocalAddr())
	defer func() {
		if t.Failed() {
			t.Logf("%d and %d arrived; %+v; %+v", a.in.len(), b.in.len(), a.Stats(), b.Stats())
		}
	}()
	p := a.Direct(nobody(t, "127.0.0.1"))
	for i := range 300 {
		p.Send(batchOf(record(100, 1)))
		if n, err := ab.Send(batchOf(record(200, uint64(i)))); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		ba.Send(batchOf(record(200, uint64(i))))
	}
	eventually(t, 30*time.Second, "all records both ways", func() bool { return a.in.len() == 300 && b.in.len() == 300 })
	wantTraffic(t, a, b, ca, cb)
	if s := a.Stats(); s.SendErrors+s.DirectLost+s.ReadErrors != 0 || s.ICMPErrors == 0 {
		t.Fatalf("%+v", s)
	}
}

func TestQUICsOwnPacketsBringHints(t *testing.T) {
	a := startNode(t, loopback)
	gone := nobody(t, "127.0.0.1")
	go a.Dial(testContext(t), wire.LinkQUIC, gone)
	eventually(t, 30*time.Second, "the hint", func() bool { return a.in.unreachable(gone) > 0 })
	a.Close()
}

func TestHintsAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newHints()
		for i := range 5000 {
			h.note(remoteN(i), time.Now())
			h.note(remoteN(i), time.Now())
		}
		if n := len(h.take()); n != maxHints || len(h.told) != maxHints {
			t.Fatalf("%d reported, %d remembered", n, len(h.told))
		}
		time.Sleep(hintEvery)
		h.note(remoteN(0), time.Now())
		h.note(remoteN(4999), time.Now())
		if n := len(h.take()); n != 2 {
			t.Fatalf("%d reported a second later", n)
		}
	})
}
