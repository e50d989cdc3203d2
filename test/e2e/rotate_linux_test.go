package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// One rotation a second for 20 s, under TCP and pings, costs no packet: held
// against a run without rotations. 60 rotations in 60 s with L2TUN_FULL.
func TestRotationsCostNothing(t *testing.T) {
	t.Parallel()
	lab.Require(t, "iperf3")
	w, a, b := pair(t)
	rotations := either(20, 60)
	still, quiet := w.loaded(a, b, either(6, 60), func() {})
	t.Logf("without rotations: %.0f Mbit/s; pings: %v", still/1e6, quiet)

	dropped := w.kernelDrops()
	epoch, handshakes := a.peer(b).Epoch, a.peer(b).Handshakes
	moving, busy := w.loaded(a, b, rotations, func() {
		for range rotations {
			next := time.Now().Add(time.Second)
			w.must(w.A, "rotate", "--socket", a.socket, b.did)
			time.Sleep(time.Until(next))
		}
	})
	t.Logf("%d rotations in %d s: %.0f Mbit/s, %.0f %% of the run without; pings: %v", rotations, rotations, moving/1e6, 100*moving/still, busy)
	after := a.peer(b)
	if done := after.Epoch - epoch; done < uint64(rotations) {
		t.Errorf("%d epochs passed, not %d", done, rotations)
	}
	if after.Handshakes != handshakes {
		t.Errorf("%d full handshakes, before %d: a rotation is none", after.Handshakes, handshakes)
	}
	// The full load makes sockets and devices drop a packet now and then, in both runs.
	dropped = w.kernelDrops() - dropped
	t.Logf("dropped by sockets and devices meanwhile: %d", dropped)
	allowed := 3 + quiet.lost()*len(busy.replies)/max(1, len(quiet.replies))
	if busy.lost() > allowed {
		t.Errorf("%d of %d pings lost; the run without rotations lost %d of %d", busy.lost(), len(busy.replies), quiet.lost(), len(quiet.replies))
	}
	if busy.copies > 0 {
		t.Errorf("%d pings were answered twice", busy.copies)
	}
	t.Logf("dropped: A %v, B %v", after.Dropped, b.peer(a).Dropped)
	for _, what := range []string{"forged", "limit", "early"} {
		if n := after.Dropped[what] + b.peer(a).Dropped[what]; n > 0 {
			t.Errorf("%d records dropped: %s", n, what)
		}
	}
}

// kernelDrops counts what the kernels of A, R and B have dropped because nobody
// took it in time: on sockets and on devices.
func (w *world) kernelDrops() (n int) {
	w.Helper()
	for _, h := range []*lab.Host{w.A, w.R, w.B} {
		for line := range strings.Lines(w.run(h, "cat", "/proc/self/net/udp", "/proc/self/net/udp6")) {
			f := strings.Fields(line)
			drops, _ := strconv.Atoi(f[len(f)-1]) // 0 for the title
			n += drops
		}
		for line := range strings.Lines(w.run(h, "cat", "/proc/self/net/dev")) {
			if _, counts, ok := strings.Cut(line, ":"); ok {
				f := strings.Fields(counts)
				in, _ := strconv.Atoi(f[3])
				out, _ := strconv.Atoi(f[11])
				n += in + out
			}
		}
	}
	return n
}

// loaded runs f under a TCP stream and 500 pings a second, at least for some
// seconds, and returns bits per second and what came of the pings.
func (w *world) loaded(a, b *node, seconds int, f func()) (rate float64, got pings) {
	w.Helper()
	p := w.pinging(w.A, b.v4, 2*time.Millisecond)
	rates := make(chan float64, 1)
	go func() {
		defer close(rates) // also if iperf3 has failed the test
		rates <- w.iperf3(w.A, w.B, b.v4, seconds)
	}()
	f()
	rate = <-rates
	return rate, p.stop()
}

// Both ends rotate at once, again and again, on each carrier.
func TestBothEndsRotateAtOnce(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"direct", "datagram", "utcp"} {
		t.Run(carrier, func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{}, `carriers = ["`+carrier+`"]`)
			w.bothUp(a, b)
			for _, n := range [][2]*node{{a, b}, {b, a}} {
				n[0].waitCarrier(n[1], carrier, 10*time.Second)
			}
			w.rotateCrosswise(a, b, 10)
		})
	}
	faults.Report(t, "R4", true, "the program, 10 crossings on each carrier: no ping lost")
}

// rotateCrosswise rotates from both ends at once, so many times, under pings of
// which none may be lost. They are so far apart that no queue overflows while the
// processors do something else for a second.
func (w *world) rotateCrosswise(a, b *node, times int) {
	w.Helper()
	p := w.pinging(w.A, b.v4, 5*time.Millisecond)
	before := a.peer(b).Epoch
	for i := range times {
		errs := make(chan string, 2)
		for _, n := range [][2]*node{{a, b}, {b, a}} {
			go func() { errs <- w.rotates(n[0], n[1]) }()
		}
		for range 2 {
			if err := <-errs; err != "" {
				w.Errorf("rotation %d: %s", i, err)
			}
		}
	}
	time.Sleep(200 * time.Millisecond)
	got := p.stop()
	w.Logf("epoch %d, then %d; pings: %v", before, a.peer(b).Epoch, got)
	if got.lost() > 0 || got.copies > 0 {
		w.Errorf("pings were lost or came twice: %v", got)
	}
	if mine, theirs := a.peer(b).Epoch, b.peer(a).Epoch; mine != theirs || mine < before+uint64(times) {
		w.Errorf("epochs %d and %d, before %d", mine, theirs, before)
	}
}

// rotates runs l2tun rotate and says how it failed: not at all if well.
func (w *world) rotates(n, peer *node) string {
	out, err := n.host.Run(w.Context(), l2tunBinary(), "rotate", "--socket", n.socket, peer.did)
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return ""
}
