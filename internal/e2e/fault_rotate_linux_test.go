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
	w.rotationsUnderLoad("R1", a, b, 3, 20)
}

// R2.
func TestFaultRotationsUnderLoadOnUTCP(t *testing.T) {
	w, a, b := twoNodes(t, lab.Shape{}, `carriers = ["utcp"]`)
	w.bothUp(a, b)
	w.rotationsUnderLoad("R2", a, b, 3, 20)
}

// rotationsUnderLoad alternates runs without and with a rotation a second under
// iperf3 and pings both ways, because the machine's own losses change with time.
func (w *world) rotationsUnderLoad(id string, a, b *node, rounds, rotations int) {
	lab.Require(w.T, "iperf3")
	var rate [2]float64
	var lost, copies, answered [2]int
	forged := func() uint64 { return a.peer(b).Dropped["forged"] + b.peer(a).Dropped["forged"] }
	wrong, epoch := forged(), a.peer(b).Epoch
	for range rounds {
		for busy, seconds := range []int{rotations / 2, rotations} {
			back := w.pinging(w.B, a.v4, 2*time.Millisecond)
			r, got := w.loaded(a, b, seconds, func() {
				if busy == 1 {
					a.everySecond(b, rotations)
				}
			})
			rate[busy] += r / float64(rounds) / 1e6
			for _, p := range []pings{got, back.stop()} {
				lost[busy], copies[busy], answered[busy] = lost[busy]+p.lost(), copies[busy]+p.copies, answered[busy]+len(p.replies)
			}
		}
	}
	done := a.peer(b).Epoch - epoch
	goodput := 100 * rate[1] / rate[0]
	allowed := float64(lost[0]) * float64(answered[1]) / float64(max(1, answered[0]))
	allowed += 3 * math.Sqrt(allowed+1) // both are counts of rare events
	faults.Report(w, id, float64(lost[1]) <= allowed && copies[1] == 0 && forged() == wrong && goodput >= 95 && done >= uint64(rounds*rotations),
		"%d rotations: %d of %d pings lost, %d twice, %d records forged, %.0f Mbit/s = %.1f %% of the control", done, lost[1], lost[1]+answered[1], copies[1],
		forged()-wrong, rate[1], goodput)
	faults.Control(w, id, "%d of %d pings lost, %d twice, %.0f Mbit/s", lost[0], lost[0]+answered[0], copies[0], rate[0])
}

// R3: R drops every 50th and then every 10th datagram from A to B.
func TestFaultRotationsOnLossyLinks(t *testing.T) {
	w, a, b := pair(t)
	w.direct(a, b)
	w.singleFrames()
	for _, nth := range []int{50, 10} {
		w.ok(w.R.Rule(fmt.Sprintf("ip saddr %s meta l4proto udp numgen inc mod %d == 0 drop", w.A.IP4, nth)))
		run := func(f func()) tally {
			s := w.stream(w.A, w.B, b.v4, 200, 2000)
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
		took := p.answeredAfter(time.Now(), 15*time.Second)
		p.stop()
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

// R13, at full length only: an hour of rotations.
func TestFaultHourOfRotations(t *testing.T) {
	w, a, b := pair(t)
	rotations := either(60, 3600)
	w.direct(a, b)
	a.everySecond(b, 20)
	before, fds := rss(w, a), a.fds()
	a.everySecond(b, rotations)
	time.Sleep(2 * time.Second)
	grown := float64(rss(w, a)-before) / 1024
	faults.Report(t, "R13", grown <= 1 && a.fds() <= fds, "%d rotations of the program, 1 a second: memory %+.1f MiB, %d descriptors, before %d",
		rotations, grown, a.fds(), fds)
}
