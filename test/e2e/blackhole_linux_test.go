package e2e

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// C disappears while A sends to B and C. B's flow does not suffer: each run with
// C gone and traffic for it stands beside one with the same traffic for nobody,
// which costs the same to make; shown is the median of their ratios, behind a link
// of 200 Mbit/s to B, which C's traffic does not use, and without that. Were it the
// code's doing, the flow would suffer every time; what else runs on the machine
// takes from some runs. So the test fails only if no pair comes near.
func TestBlackholedPeerCostsTheOtherNothing(t *testing.T) {
	lab.Require(t, "iperf3")
	w, a, b, c := trio(t)
	pairs := either(3, 7)
	w.ok(w.R.Rate(w.CableB.B.Dev, 200_000_000))
	limited := w.withoutC(a, b, c, pairs)
	w.ok(w.R.Rate(w.CableB.B.Dev, 0))
	free := w.withoutC(a, b, c, pairs)
	t.Logf("B's flow with C blackholed: %.0f %% behind 200 Mbit/s, %.0f %% without a limit (medians of %d)",
		100*limited[pairs/2], 100*free[pairs/2], pairs)
	for name, ratios := range map[string][]float64{"behind 200 Mbit/s": limited, "without a limit": free} {
		if best := ratios[pairs-1]; best < 0.9 {
			t.Errorf("%s B's flow fell to %.0f %% at best because C is gone; the aim is 95 %%", name, 100*best)
		}
	}
}

// withoutC says what is left of a flow from A to B when C disappears under
// traffic, the least first. Every flow begins before A has noticed.
func (w *world) withoutC(a, b, c *node, pairs int) []float64 {
	w.Helper()
	nobody := netip.AddrFrom4([4]byte{10, 9, 0, 200}) // on the tunnel's network, of no peer
	seconds := either(2, 4)
	ratios := make([]float64, 0, pairs)
	for range pairs {
		stop, _ := w.floodAt(a, nobody)
		alone := w.iperf3(w.A, w.B, b.v4, seconds)
		stop()
		stop, sent := w.flood(a, c)
		w.ok(w.R.Rule("ip daddr " + w.C.IP4.String() + " drop"))
		w.ok(w.R.Rule("ip saddr " + w.C.IP4.String() + " drop"))
		gone := w.iperf3(w.A, w.B, b.v4, seconds)
		a.waitPeer(c, 10*time.Second, "lost", func(p control.Peer) bool { return !isEstablished(p) })
		stop()
		w.Logf("A to B: %.0f Mbit/s alone, %.0f with C gone; %d packets for C", alone/1e6, gone/1e6, sent.Load())
		ratios = append(ratios, gone/alone)
		w.ok(w.R.Allow())
		w.established(a, c)
	}
	slices.Sort(ratios)
	return ratios
}
