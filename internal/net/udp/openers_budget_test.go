package udp

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// A peer lists the addresses of somebody else, as often as it can: what arrives there is
// the budget, and the live path does not feel it.
func TestAThirdPartyGetsNoMoreThanTheBudget(t *testing.T) {
	a, b, ab, _ := directPair(t, testOptions(loopback), testOptions(loopback))
	var remotes []netip.AddrPort
	var bytes atomic.Int64
	for range 8 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		remotes = append(remotes, netaddr.PortOf(c.LocalAddr()))
		go func() { // ends with the socket
			buf := make([]byte, 1500)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				bytes.Add(int64(n + 28))
			}
		}()
	}
	began, calls := time.Now(), 0
	for time.Since(began) < time.Second {
		a.SendOpeners(remotes)
		a.SendKnocks(remotes)
		calls += 2
	}
	took := time.Since(began)
	sendAll(t, ab, b, records.BatchOf(records.Repeat(1000, 20)...))
	most := openerBurst + openerRate*int64(took)/int64(time.Second)
	left := int64(a.count.Openers.Load()+a.count.Knocks.Load()) * 72
	records.Eventually(t, 30*time.Second, "what the budget allows at the third party", func() bool { return bytes.Load() >= most/4 })
	got := bytes.Load()
	if left > most || got > left {
		t.Errorf("%d bytes have left and %d have come in %v, the budget is %d", left, got, took, most)
	}
	faults.Report(t, "N6", got <= most, "%d times 8 addresses of a third party: %d KiB arrive there in %.1f s, the budget is %d", calls, got>>10, took.Seconds(), most>>10)
}
