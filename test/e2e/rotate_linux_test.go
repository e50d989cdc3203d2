package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// One rotation a second for 20 s, under TCP and pings, costs no packet: held
// against a run without rotations. 60 rotations in 60 s with -long.
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
			w.must(w.A, "rotate", "--socket", a.Socket, b.DID)
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
	out, err := n.Host.Run(w.Context(), l2tunBinary(), "rotate", "--socket", n.Socket, peer.DID)
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return ""
}

// R1.
// Alone: it fills the machine and counts packets.
func TestFaultRotationsUnderLoad(t *testing.T) {
	onlyLong(t, "it fills the machine; TestRotationsCostNothing shows what happens")
	w, a, b := pair(t)
	w.direct(a, b)
	w.rotationsUnderLoad("R1", a, b, 6, 10)
}

// R2.
// Alone: as TestFaultRotationsUnderLoad.
func TestFaultRotationsUnderLoadOnUTCP(t *testing.T) {
	onlyLong(t, "it fills the machine; TestBothEndsRotateAtOnce shows what happens")
	w, a, b := twoNodes(t, lab.Shape{}, `carriers = ["utcp"]`)
	w.bothUp(a, b)
	w.rotationsUnderLoad("R2", a, b, 6, 10)
}

// A side is one half of a comparison, run by run.
type side struct {
	rate, loss             []float64 // Mbit/s, pings lost of each
	lost, copies, answered int
}

func (s *side) add(rate float64, all ...pings) {
	var lost, answered int
	for _, p := range all {
		lost, answered, s.copies = lost+p.lost(), answered+len(p.replies), s.copies+p.copies
	}
	s.lost, s.answered = s.lost+lost, s.answered+answered
	s.rate, s.loss = append(s.rate, rate/1e6), append(s.loss, float64(lost)/float64(max(1, lost+answered)))
}

func (s *side) String() string {
	m, _ := mean(s.rate)
	return fmt.Sprintf("%d of %d pings lost, %d twice, %.0f Mbit/s", s.lost, s.lost+s.answered, s.copies, m)
}

// mean returns the mean and its variance.
func mean(x []float64) (m, variance float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - m) * (v - m) / float64(len(x)*(len(x)-1))
	}
	return m, variance
}

// losesMore reports whether b loses more pings than a by more than chance, which
// the runs' own differences show, and by more than three.
func losesMore(a, b *side) bool {
	ma, va := mean(a.loss)
	mb, vb := mean(b.loss)
	return mb > ma+2*math.Sqrt(va+vb) && float64(b.lost) > 3+ma*float64(b.lost+b.answered)
}

// rotationsUnderLoad alternates runs without and with a rotation a second under
// iperf3 and pings both ways, because the machine's own losses change with time. What
// is left of the throughput is told here and judged by scripts/bench, row rotating.
func (w *world) rotationsUnderLoad(id string, a, b *node, rounds, rotations int) {
	lab.Require(w.T, "iperf3")
	var sides [2]side
	forged := func() uint64 { return a.peer(b).Dropped["forged"] + b.peer(a).Dropped["forged"] }
	wrong, epoch := forged(), a.peer(b).Epoch
	for range rounds {
		for busy, seconds := range []int{rotations / 2, rotations} {
			back := w.pinging(w.B, a.v4, 2*time.Millisecond)
			rate, got := w.loaded(a, b, seconds, func() {
				if busy == 1 {
					a.everySecond(b, rotations)
				}
			})
			sides[busy].add(rate, got, back.stop())
		}
	}
	done := a.peer(b).Epoch - epoch
	still, _ := mean(sides[0].rate)
	moving, _ := mean(sides[1].rate)
	faults.Report(w, id, !losesMore(&sides[0], &sides[1]) && sides[1].copies == 0 && forged() == wrong && done >= uint64(rounds*rotations),
		"%d rotations: %v, %.1f %% of the control, %d records forged", done, &sides[1], 100*moving/still, forged()-wrong)
	faults.Control(w, id, "%v", &sides[0])
}

// R3: R drops every 50th and then every 10th datagram, of each direction its own.
// What sockets and devices drop because the machine is busy is not the tunnel's.
func TestFaultRotationsOnLossyLinks(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	w.singleFrames()
	rotations := shorter(3, whole(10, 60))
	for _, nth := range shorter([]int{10}, []int{50, 10}) {
		for _, from := range []netip.Addr{w.A.IP4, w.B.IP4} {
			w.ok(w.R.Rule(fmt.Sprintf("ip saddr %s meta l4proto udp numgen inc mod %d == 0 drop", from, nth)))
		}
		run := func(f func()) (there, back tally) {
			s, r := w.counted(w.A, w.B, b.v4, 200, 2000), w.counted(w.B, w.A, a.v4, 200, 2000)
			f()
			return s.end(), r.end()
		}
		there, back := run(func() { time.Sleep(shorter(time.Second, 5*time.Second)) })
		faults.Control(t, "R3", "there %v, back %v", there, back)
		before := w.kernelDrops()
		there, back = run(func() { a.everySecond(b, rotations) })
		busy := w.kernelDrops() - before
		w.ok(w.R.Allow())
		link, kept := 100/float64(nth), there.twice+back.twice == 0
		for _, s := range []tally{there, back, {sent: there.sent + back.sent, lost: there.lost + back.lost}} {
			s.lost -= busy
			kept = kept && s.loss() <= link+shorter(2, 0.1)
		}
		held(t, "R3", kept, "link loses %.0f %% each way, %d rotations: there %v, back %v; %d of them dropped by full sockets and devices",
			link, rotations, there, back, busy)
	}
}

// R11: either end is killed as soon as its log shows a step of a rotation.
func TestFaultKilledInRotation(t *testing.T) {
	beside(t)
	w, a, b := pair(t)
	moments := []struct {
		dies *node
		step string
	}{{a, "start"}, {b, "answer"}, {b, "install"}, {b, "reply"}, {a, "install"}, {a, "finish"}, {a, "use"}, {b, "use"}, {b, "confirm"}}
	var worst, sum time.Duration
	times := shorter(len(moments)/2, 50)
	last := make(map[string]int)
	for i := range times {
		m := moments[i%len(moments)]
		w.established(a, b)
		p := w.pinging(w.A, b.v4, 20*time.Millisecond)
		p.answeredAfter(time.Now(), 10*time.Second)
		last[m.dies.Host.Name+" "+a.killInRotation(b, m.dies, m.step)]++
		m.dies.start()
		since := time.Now()
		took := p.answeredAfter(since, 15*time.Second)
		p.stop()
		m.dies.answers() // later than packets pass
		if took > time.Second {
			t.Logf("kill %d, %s at %s: %v, restarted at %v", i, m.dies.Host.Name, m.step, ms(took), since.UTC().Format("15:04:05.000"))
		}
		worst, sum = max(worst, took), sum+took
	}
	w.established(a, b)
	if x, y := a.peer(b).Epoch, b.peer(a).Epoch; x != y {
		t.Errorf("epochs %d and %d", x, y)
	}
	held(t, "R11", worst <= limit(2*time.Second) && len(last) >= shorter(2, 4), "%d kills, by the last step that the dead end had logged %v: traffic %v after the restart, %v at most; one epoch at the end",
		times, last, ms(sum/time.Duration(times)), ms(worst))
}

// killInRotation rotates with p and kills one of the two as soon as it has logged
// a step of the rotation. It returns the last step that it logged.
func (n *node) killInRotation(p, dies *node, step string) (last string) {
	n.w.Helper()
	log, err := os.Open(dies.Log)
	n.w.ok(err)
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	n.w.ok(err)
	ctx, stop := context.WithCancel(n.w.Context())
	var rotating sync.WaitGroup
	rotating.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			_, _ = n.Client().Rotate(ctx, p.DID) // it fails: one of them dies
		}
	})
	defer rotating.Wait()
	defer stop()
	first := map[bool]string{true: "start", false: "answer"}[dies == n]
	buf := make([]byte, 1<<18)
	for deadline := time.Now().Add(10 * time.Second); !slices.Contains(rotationSteps(log, from, buf, first), step); {
		if time.Now().After(deadline) {
			n.w.Fatalf("%s does not come to %q", dies.Interface, step)
		}
	}
	dies.kill()
	all := rotationSteps(log, from, buf, first)
	return all[len(all)-1]
}

// rotationSteps are the actions of a rotation in a log, from an offset and its
// first action on.
func rotationSteps(log *os.File, from int64, buf []byte, first string) (all []string) {
	n, _ := log.ReadAt(buf, from) // io.EOF: the log is shorter than buf
	for line := range bytes.Lines(buf[:n]) {
		if _, action, ok := bytes.Cut(line, []byte(`msg=rotation `)); ok {
			_, action, _ = bytes.Cut(action, []byte(`action="`))
			name, _, _ := bytes.Cut(action, []byte(" "))
			if len(all) > 0 || string(name) == first {
				all = append(all, string(name))
			}
		}
	}
	return all
}

// R13: an hour of rotations at full length; else a minute of them in a quarter of
// it. The collector runs ten times as often as it does by default, so that resident
// memory follows what lives and not where the collector stands.
func TestFaultHourOfRotations(t *testing.T) {
	onlyLong(t, "what a process holds settles within a minute of rotations")
	t.Parallel()
	w, a, b := pair(t, "GOGC=10")
	rotations, first, gap := whole(60, 3600), whole(60, 300), whole(250*time.Millisecond, time.Second)
	w.direct(a, b)
	rotate := func(n int) {
		for range n {
			next := time.Now().Add(gap)
			a.rotateNow(b)
			time.Sleep(time.Until(next))
		}
	}
	rotate(first) // tables reach their size
	var rss0, fds0, grown, left [2]int
	for i, n := range []*node{a, b} {
		rss0[i], fds0[i] = rss(w, n), n.fds()
	}
	rotate(rotations)
	for i, n := range []*node{a, b} {
		grown[i], left[i] = rss(w, n)-rss0[i], n.fds()-fds0[i]
	}
	faults.Report(t, "R13", max(grown[0], grown[1]) <= 1024 && max(left[0], left[1]) <= 0,
		"%d rotations of the program, one every %v, at GOGC=10: resident memory of both ends %+d and %+d KiB, %+d and %+d descriptors", rotations, gap, grown[0], grown[1], left[0], left[1])
}
