package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// The way becomes narrow in the middle of a transfer and says nothing: small
// packets pass as before, large ones disappear until the session sees it
// (SPEC 6.10).
func TestPathMTUShrinks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit     int // of IP packets
		carrier   string
		room, mtu int
	}{
		{1430, "direct", 1372, 1340},   // between the sizes of direct
		{1278, "datagram", 1163, 1420}, // UDP of 1250 bytes: below them
	} {
		t.Run(fmt.Sprint(c.limit), func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{}, "")
			w.bothUp(a, b)
			w.direct(a, b)
			w.pings(w.A, b.v4, 10, "-s", "1380")
			before := a.session(b)
			const rate = 2_000_000
			f := w.flow(w.A, w.B, b.v4, 10*rate, rate)
			f.reaches(rate, 10*time.Second)
			w.ok(w.R.DropLargerThan(1500)) // single frames
			w.ok(w.R.Rule(fmt.Sprintf("meta l4proto udp meta length > %d drop", c.limit)))
			at := time.Now()
			took := w.resumes(b, a, rate/2, 30*time.Second)
			t.Logf("the transfer goes on after %v: %s", took.Round(time.Millisecond), brief(a.peer(b)))
			if took > 10*time.Second {
				t.Errorf("the transfer stood for %v; the aim is 5 s, the limit 10 s", took)
			}
			p := w.pinging(w.A, b.v4, 50*time.Millisecond, "-s", "1380")
			p.answeredAfter(at, 30*time.Second)
			t.Logf("large pings are answered %v after it", time.Since(at).Round(time.Millisecond))
			p.stop()
			f.done(time.Minute)
			a.waitCarrier(b, c.carrier, 25*time.Second) // by way of utcp where the machine is slow
			w.pings(w.B, a.Address, 10, "-s", "1380")
			w.transfer(w.B, w.A, a.Address, 5_000_000)
			w.must(w.A, "send", "--socket", a.Socket, "--timeout", "20s", b.DID, strings.Repeat("hello", 10_000)) // on a stream
			if got := a.peer(b); got.Room != c.room || got.MTU != c.mtu || got.SeenAs != a.endpoint4() {
				t.Errorf("status shows %s", brief(got))
			}
			w.sameSession(a, b, before)
		})
	}
}

// resumes says how long n received nothing of a flow from p, until it has got so
// many bytes more.
func (w *world) resumes(n, p *node, more uint64, within time.Duration) time.Duration {
	w.Helper()
	time.Sleep(100 * time.Millisecond) // what is under way
	start := time.Now()
	from := n.peer(p).RxBytes
	var first time.Duration
	for time.Since(start) < within {
		got := n.peer(p).RxBytes - from
		if got > 20_000 && first == 0 {
			first = time.Since(start)
		}
		if got > more {
			return first
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Fatalf("%s received %d bytes of %d within %v", n.Interface, n.peer(p).RxBytes-from, more, within)
	return 0
}
