package e2e

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// The way drops UDP datagrams above 1250 bytes and says nothing about it.
// Packets that do not fit one record travel as two.
func TestSmallPathMTU(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	const headers = 28 // IPv4 and UDP
	w.ok(w.R.DropLargerThan(1250 + headers))
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	a.up()
	start := time.Now()
	w.established(a, b)
	t.Logf("established %v after the start", time.Since(start).Round(time.Millisecond))
	w.pings(w.A, b.v4, 20, "-s", "1300", "-M", "do")
	w.pings(w.B, a.Address, 20, "-s", "1300", "-M", "do")
	w.transfer(w.A, w.B, b.v4, 5_000_000)
	w.transfer(w.B, w.A, a.Address, 5_000_000)
	t.Logf("A says: %s", brief(a.peer(b)))
}
