package transport

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/records"
)

// A lying hub has two sprays at a time aimed at a third party, as often as it can. What
// arrives there in each second is what one spray may send, whatever its port.
func TestAThirdPartyOfASprayGetsNoMoreThanItsBudget(t *testing.T) {
	n := nat.Use(t, nat.TwoHomes(nat.None, nat.Home))
	third := n.Hub.Addrs4[0]
	if err := n.Hub.Nft("table ip labcount {\n\tchain in {\n\t\ttype filter hook input priority 0\n\t\tmeta l4proto udp counter\n\t}\n}\n"); err != nil {
		t.Fatal(err)
	}
	came := func() (packets, bytes int) {
		out, err := n.Hub.Run(t.Context(), "nft", "list", "table", "ip", "labcount")
		m := regexp.MustCompile(`packets (\d+) bytes (\d+)`).FindStringSubmatch(out)
		if err != nil || m == nil {
			t.Fatal(out, err)
		}
		packets, _ = strconv.Atoi(m[1])
		bytes, _ = strconv.Atoi(m[2])
		return packets, bytes
	}
	var a *node
	if err := n.A.Do(func() error { a = startNode(t, netip.MustParseAddrPort("0.0.0.0:0")); return nil }); err != nil {
		t.Fatal(err)
	}
	began, last := time.Now(), a.Stats().Opening
	events := make(chan link.PortEvent, 64)
	for range 4 {
		defer a.KnockPorts(third)()
	}
	err := n.A.Do(func() error { // sockets are of the namespace in which they are made
		defer a.OpenPorts(netip.AddrPortFrom(third, 4242), func(e link.PortEvent) { events <- e })()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	records.Eventually(t, 20*time.Second, "all knocks", func() bool { return a.Stats().Opening.Knocks == 4*2048 })
	took := time.Since(began)
	packets, bytes := came()
	most := int(took.Seconds()*1000) + 64 + 20
	if packets > most || packets < 4*2048*9/10 || bytes > most*72 {
		t.Errorf("%d packets, %d bytes have come in %v; %+v before", packets, bytes, took, last)
	}
	faults.Report(t, "N17", packets <= most, "four sprays at one third party: %s", fmt.Sprintf("%d packets, %d KiB arrive there in %.1f s, 1,000 a second are allowed", packets, bytes>>10, took.Seconds()))
}
