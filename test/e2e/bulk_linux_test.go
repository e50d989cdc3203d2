package e2e

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// Bulk on μTCP fills a line of 100 Mbit/s; pings beside it do not wait long.
// Alone: it fills a line and times pings beside it.
func TestBulkOnUTCPLeavesRoomForPings(t *testing.T) {
	lab.Require(t, "iperf3")
	w, a, b := twoNodes(t, lab.Shape{}, `carriers = ["utcp"]`)
	w.bothUp(a, b)
	const rate = 100_000_000
	for _, dev := range []string{"eth0", "eth1"} {
		w.ok(w.R.Rate(dev, rate))
	}
	p := w.pinging(w.A, b.v4, 10*time.Millisecond)
	got := w.iperf3(w.A, w.B, b.v4, either(6, 20)) / 1e6
	pings := p.stop()
	t.Logf("iperf3 on μTCP: %.0f Mbit/s of %d; pings meanwhile: %v", got, rate/1_000_000, pings)
	if got < 50 {
		t.Errorf("%.0f Mbit/s: the line was not full, which shows nothing", got)
	}
	if most := pings.centile(99); most > 300*time.Millisecond {
		t.Errorf("the 99th percentile of round trips is %v; the aim is 100 ms, the limit 300 ms", most)
	}
	if n := a.logged("to=degraded"); n > 0 {
		t.Errorf("A lost B %d times under its own load", n)
	}
}
