package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// whole fails the test unless pings of size bytes with don't-fragment are answered,
// or the kernel says that they are too big. Without don't-fragment they pass.
func (w *world) whole(from *lab.Host, to netip.Addr, size string) {
	w.Helper()
	w.pings(from, to, 10, "-s", size)
	answered, out := w.eachPing(from, to, 10, "-s", size, "-M", "do")
	switch {
	case answered == 10:
	case strings.Contains(out, "message too long"):
		w.Logf("%s bytes to %s with don't-fragment: the kernel says too long", size, to)
	default:
		w.Errorf("%s bytes to %s with don't-fragment: %s", size, to, out)
	}
}

// Every underlay carries packets of full inner size, whether it says what does
// not fit or not.
func TestUnderlays(t *testing.T) {
	t.Parallel()
	const headers = 28 // IPv4 and UDP
	for _, c := range []struct {
		name string
		mtu  int
		drop int // IP packets larger than this disappear; 0: none
	}{
		{"UDP above 1250 bytes disappears", 1500, 1250 + headers},
		{"1280", 1280, 0}, {"1400", 1400, 0}, {"1500", 1500, 0}, {"9000", 9000, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{MTU: c.mtu}, "")
			if c.drop > 0 {
				w.ok(w.R.DropLargerThan(c.drop)) // for its single frames: a rule must not judge 45 datagrams as one
				w.ok(w.R.Allow())
				w.ok(w.R.Rule(fmt.Sprintf("meta l4proto udp meta length > %d drop", c.drop)))
			}
			b.up()
			a.up()
			start := time.Now()
			w.established(a, b)
			p := w.pinging(w.A, b.v4, 50*time.Millisecond, "-s", "1300", "-M", "do")
			took := p.answeredAfter(start, 15*time.Second)
			p.stop()
			t.Logf("a ping of 1300 bytes passes %v after up: %s", took.Round(time.Millisecond), brief(a.peer(b)))
			if c.drop > 0 {
				faults.Report(t, "F6", took <= 5*time.Second, "first ping of 1300 bytes with don't-fragment after %v, 10 MB each way with equal digests", took.Round(time.Millisecond))
			}
			if took > 5*time.Second {
				t.Errorf("traffic after %v; the limit is 5 s", took)
			}
			w.whole(w.A, b.v4, "1300")
			w.whole(w.B, a.Address, "1300")
			w.transfer(w.A, w.B, b.v4, 10_000_000)
			w.transfer(w.B, w.A, a.Address, 10_000_000)
		})
	}
}
