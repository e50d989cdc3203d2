package udp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
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
		a, b, ab, _ := directPair(t, testOptions(netip.MustParseAddrPort(c.listen)), testOptions(loopback))
		gone := nobody(t, c.remote)
		p, began := a.Direct(gone), time.Now()
		for range 20 {
			p.Send(records.Batch(records.New(100, 1)))
			time.Sleep(time.Millisecond)
		}
		records.Eventually(t, 30*time.Second, "the hint, and the errors", func() bool { return a.in.Missing(gone) > 0 && a.count.ICMP.Load() >= 10 })
		if n, took := a.in.Missing(gone), time.Since(began); n > 1+int(took/hintEvery) {
			t.Errorf("%v: reported %d times in %v", c, n, took)
		}
		if c.listen != "[::1]:0" {
			sendAll(t, ab, b, records.Batch(records.New(100, 1), records.New(1000, 2)))
		}
	}
}

func TestHintsAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newHints()
		for i := range 5000 {
			h.note(remoteN(i), time.Now())
			h.note(remoteN(i), time.Now())
		}
		if n := len(h.take()); n != MaxHints || len(h.told) != MaxHints {
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

// What forged messages fill is not gone through for each of them.
func TestFullTableOfHintsCostsNoMore(t *testing.T) {
	now := time.Now()
	cost := func(n int) time.Duration {
		h := newHints()
		took := faults.CPUTime(func() {
			for i := range n {
				h.note(remoteN(i), now.Add(time.Duration(i)*10*time.Microsecond))
			}
		})
		if len(h.told) > MaxHints {
			t.Error(len(h.told))
		}
		return took / time.Duration(n)
	}
	room, full := cost(MaxHints), cost(50*MaxHints)
	kept := full <= 5*time.Microsecond+2*room
	if !kept {
		t.Errorf("%v each with room, %v without", room, full)
	}
	faults.Report(t, "S33", kept, "remotes reported by ICMP: %v each while there is room, %v in a full table", room, full)
}
