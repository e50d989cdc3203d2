package e2e

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// C disappears while A sends to B and C as fast as it can. B's flow goes on and
// arrives, its pings go on, and its session is the same. What the flow loses in
// speed is judged by case F12 of the catalogue of faults.
func TestBlackholedPeerCostsTheOtherNothing(t *testing.T) {
	t.Parallel()
	w, a, b, c := trio(t)
	check := a.undisturbed(b)
	stop, sent := w.flood(a, c)
	p := w.pinging(w.A, b.v4, 20*time.Millisecond)
	p.answeredAfter(time.Now(), 5*time.Second)
	f := w.flow(w.A, w.B, b.v4, either[int64](20_000_000, 200_000_000), 5_000_000)
	w.ok(w.R.Rule("ip daddr " + w.C.IP4.String() + " drop"))
	w.ok(w.R.Rule("ip saddr " + w.C.IP4.String() + " drop"))
	a.waitPeer(c, 15*time.Second, "lost", func(p control.Peer) bool { return !isEstablished(p) })
	f.done(2 * time.Minute)
	stop()
	got := p.stop()
	t.Logf("%d packets for C; B's pings: %v", sent.Load(), got)
	if got.gap() > 3*time.Second {
		t.Errorf("B's pings stopped for %v because C is gone", got.gap())
	}
	check()
	w.ok(w.R.Allow())
	w.established(a, c)
}
