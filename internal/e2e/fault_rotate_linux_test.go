//go:build faults

package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/faults"
	"github.com/libertaria-project/l2tun/internal/lab"
)

// R1.
func TestFaultRotationsUnderLoad(t *testing.T) {
	w, a, b := pair(t)
	w.direct(a, b)
	w.rotationsUnderLoad("R1", a, b, 6, 10)
}

// R2.
func TestFaultRotationsUnderLoadOnUTCP(t *testing.T) {
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
// iperf3 and pings both ways, because the machine's own losses change with time.
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
	faults.Report(w, id, !losesMore(&sides[0], &sides[1]) && sides[1].copies == 0 && forged() == wrong && moving >= 0.95*still && done >= uint64(rounds*rotations),
		"%d rotations: %v, %.1f %% of the control, %d records forged", done, &sides[1], 100*moving/still, forged()-wrong)
	faults.Control(w, id, "%v", &sides[0])
}

// R3: R drops every 50th and then every 10th datagram from A to B.
func TestFaultRotationsOnLossyLinks(t *testing.T) {
	w, a, b := pair(t)
	w.direct(a, b)
	w.singleFrames()
	for _, nth := range []int{50, 10} {
		w.ok(w.R.Rule(fmt.Sprintf("ip saddr %s meta l4proto udp numgen inc mod %d == 0 drop", w.A.IP4, nth)))
		run := func(f func()) tally {
			s := w.counted(w.A, w.B, b.v4, 200, 2000)
			f()
			return s.end()
		}
		quiet := run(func() { time.Sleep(5 * time.Second) })
		busy := run(func() { a.everySecond(b, 10) })
		w.ok(w.R.Allow())
		link := 100 / float64(nth)
		faults.Report(t, "R3", busy.loss() <= link+0.1 && busy.twice == 0, "link loses %.0f %%: %v", link, busy)
		faults.Control(t, "R3", "%v", quiet)
	}
}

// R11.
func TestFaultKilledInRotation(t *testing.T) {
	w, a, b := pair(t)
	var worst, sum time.Duration
	const times = 50
	for i := range times {
		w.established(a, b)
		p := w.pinging(w.A, b.v4, 20*time.Millisecond)
		p.answeredAfter(time.Now(), 10*time.Second)
		rotated := make(chan struct{})
		go func() {
			defer close(rotated)
			_, _ = control.New(a.socket).Rotate(t.Context(), b.did) // it may fail: B dies
		}()
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		b.kill()
		b.start()
		since := time.Now()
		took := p.answeredAfter(since, 15*time.Second)
		p.stop()
		if took > time.Second {
			t.Logf("kill %d: %v, restarted at %v", i, ms(took), since.UTC().Format("15:04:05.000"))
		}
		worst, sum = max(worst, took), sum+took
		<-rotated
	}
	w.established(a, b)
	if x, y := a.peer(b).Epoch, b.peer(a).Epoch; x != y {
		t.Errorf("epochs %d and %d", x, y)
	}
	faults.Report(t, "R11", worst <= 2*time.Second, "%d kills 0-10 ms after a rotation began: traffic %v after the restart, %v at most; one epoch at the end",
		times, ms(sum/times), ms(worst))
}

// R13: an hour of rotations at full length; else a minute of them in a quarter of
// it. The collector runs ten times as often as it does by default, so that resident
// memory follows what lives and not where the collector stands.
func TestFaultHourOfRotations(t *testing.T) {
	t.Setenv("GOGC", "10")
	w, a, b := pair(t)
	rotations, first, gap := either(60, 3600), either(60, 300), either(250*time.Millisecond, time.Second)
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
