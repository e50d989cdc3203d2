package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// A host with two uplinks moves its default route to the other one, dead for some
// seconds before, and back while both are alive. The session follows the route
// both times: the peer sends to the address of the uplink that the host prefers.
func TestSessionFollowsTheDefaultRoute(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{Routed: true}, "")
	second, err := w.Connect(w.A, w.R, 0)
	w.ok(err)
	first := w.CableA
	everything := netip.MustParsePrefix("0.0.0.0/0")
	for i, end := range []*lab.End{first.A, second.A} { // answers leave by the uplink of their source
		table := []string{"101", "102"}[i]
		w.run(w.A, "ip", "rule", "add", "from", end.IP4.Addr().String(), "lookup", table)
		w.run(w.A, "ip", "route", "add", "default", "via", []*lab.Cable{first, second}[i].B.IP4.Addr().String(), "table", table)
	}
	w.bothUp(a, b)
	a.waitCarrier(b, "direct", 15*time.Second)
	p := w.pinging(w.A, b.v4, 100*time.Millisecond)
	defer p.stop()
	prefers := func(c *lab.Cable) {
		t.Helper()
		w.run(w.A, "ip", "route", "replace", everything.String(), "via", c.B.IP4.Addr().String())
		b.waitPeer(a, 15*time.Second, "at "+c.A.IP4.Addr().String()+" on direct", func(p control.Peer) bool {
			at, err := netip.ParseAddrPort(p.Endpoint)
			return err == nil && at.Addr().Unmap() == c.A.IP4.Addr() && p.Carrier == "direct"
		})
		w.pings(w.A, b.v4, 5)
	}
	w.ok(w.R.Nft("table ip cut { chain f { type filter hook prerouting priority 0; iifname \"" + first.B.Dev + "\" drop; }; chain o { type filter hook postrouting priority 0; oifname \"" + first.B.Dev + "\" drop; }; }"))
	a.waitPeer(b, 15*time.Second, "degraded", func(p control.Peer) bool { return p.State == "degraded" })
	prefers(second)
	w.ok(w.R.Nft("delete table ip cut"))
	prefers(first)
	prefers(second)
}
