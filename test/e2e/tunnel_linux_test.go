package e2e

import (
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/test/lab"
)

func TestEveryPingIsAnswered(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.pings(w.A, b.v4, 100)
	w.pings(w.B, a.Address, 100)
	t.Log("100 of 100 pings over IPv4 and over IPv6")
}

// B has no endpoint of A, waits for it, and talks to it first.
func TestOneSideKnowingAnEndpointIsEnough(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	if got := endpoints(w, b); len(got) != 0 {
		t.Fatalf("B knows %v", got)
	}
	if got := endpoints(w, a); len(got) != 1 {
		t.Fatalf("A knows %v", got)
	}
	w.pings(w.B, a.v4, 10)
	w.pings(w.B, a.Address, 10)
}

// endpoints are those of the first peer in a node's config.
func endpoints(w *world, n *node) []string {
	w.Helper()
	list := decode[[]struct{ Endpoints []string }](w, w.must(n.Host, "peer", "list", "--json", "--config", n.Config))
	return list[0].Endpoints
}

// Alone: it fills the machine.
func TestThreeHundredMegabytesArriveUnchanged(t *testing.T) {
	w, _, b := pair(t)
	w.transfer(w.A, w.B, b.v4, 300_000_000)
}

// The figure is for people. What is held would also be met by a very busy
// machine.
// Alone: it measures throughput.
func TestOneTCPStreamIsFast(t *testing.T) {
	lab.Require(t, "iperf3")
	w, a, b := pair(t)
	for _, r := range []struct {
		name     string
		from, to *node
		at       netip.Addr
	}{{"A to B, IPv4", a, b, b.v4}, {"B to A, IPv6", b, a, a.Address}} {
		rate := w.iperf3(r.from.Host, r.to.Host, r.at, 3) / 1e6
		t.Logf("iperf3, one TCP stream, %s: %.0f Mbit/s", r.name, rate)
		if rate < 50 {
			t.Errorf("%s: %.0f Mbit/s", r.name, rate)
		}
	}
}

func TestFamiliesInsideAndOutside(t *testing.T) {
	t.Parallel()
	for name, endpoint := range map[string]func(*node) string{"IPv4 outside": (*node).endpoint4, "IPv6 outside": (*node).endpoint6} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, lab.Shape{Routed: true})
			a, b := w.node(w.A), w.node(w.B)
			a.knows(b, endpoint(b))
			b.knows(a, "")
			b.up()
			a.up()
			w.established(a, b)
			if got := a.peer(b).Endpoint; got != endpoint(b) {
				t.Errorf("the endpoint in use is %s, not %s", got, endpoint(b))
			}
			w.pings(w.A, b.v4, 20)
			w.pings(w.A, b.Address, 20)
			w.transfer(w.A, w.B, b.v4, 5_000_000)
			w.transfer(w.B, w.A, a.Address, 5_000_000)
		})
	}
}
