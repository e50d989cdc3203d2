package rotation

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/libertaria-project/l2tun/test/faults"
)

// The invariants are in world_test.go: nothing is sent that the peer cannot
// receive, numbers never fall, never more than three epochs, nothing is used
// before it is installed, no deadline stays. Here the network is as bad as
// rapid finds it, and the end must be one epoch on both sides.

func badNetwork(t *rapid.T, w *world) {
	w.loss = rapid.SampledFrom([]float64{0, 0.05, 0.3, 0.7, 1}).Draw(t, "loss")
	w.dup = rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "dup")
	spread := rapid.SampledFrom([]int{1, 50, 500, 3000}).Draw(t, "spread ms")
	w.delay = func() time.Duration { return time.Duration(5+w.rng.IntN(spread)) * time.Millisecond }
}

func (w *world) heals() {
	w.a.fail, w.b.fail, w.a.deaf, w.b.deaf = 0, 0, 0, 0
	w.loss, w.dup = 0, 0
	w.delay = func() time.Duration { return 10 * time.Millisecond }
}

func draw(t *rapid.T, w *world, fulls bool) {
	n := rapid.SampledFrom(w.nodes()).Draw(t, "node")
	ops := []string{"rotate", "both", "talk", "fail", "deaf", "network", "wait"}
	if fulls {
		ops = append(ops, "full", "both full")
	}
	switch op := rapid.SampledFrom(ops).Draw(t, "op"); op {
	case "rotate":
		n.do(n.m.Rotate(w.now))
	case "both":
		w.a.do(w.a.m.Rotate(w.now))
		w.b.do(w.b.m.Rotate(w.now))
	case "talk":
		w.a.talk()
		w.b.talk()
	case "fail":
		n.fail++
	case "deaf":
		n.deaf++
	case "network":
		badNetwork(t, w)
	case "full":
		n.full()
	case "both full":
		w.a.full()
		w.b.full()
	case "wait":
		w.run(time.Duration(rapid.IntRange(1, 30_000).Draw(t, "ms")) * time.Millisecond)
	}
	w.run(time.Duration(rapid.IntRange(0, 300).Draw(t, "then ms")) * time.Millisecond)
}

// SPEC R-5.2-1.
func TestTwoMachinesConverge(t *testing.T) {
	for name, mode := range map[string]struct{ fulls, broken bool }{
		"short only":     {false, false},
		"short and full": {true, false},
		"broken streams": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, rapid.Uint64().Draw(t, "seed"), Config{})
				// The hard stop is another test's matter: this one is about crossings.
				w.allowStop, w.m3lost = true, mode.broken
				w.connect(rapid.SampledFrom(w.nodes()).Draw(t, "first"))
				for range rapid.IntRange(1, 40).Draw(t, "steps") {
					draw(t, w, mode.fulls)
					if w.stops > 0 {
						t.Skip("hard stop reached")
					}
				}
				w.heals()
				w.run(2 * time.Minute)
				for i := 0; i < 50 && !w.agreed(); i++ { // one may just have begun by time
					w.run(100 * time.Millisecond)
				}
				if w.stops > 0 {
					t.Skip("hard stop reached")
				}
				w.wantAgreed()
			})
		})
	}
	faults.Report(t, "R7", true, "random networks: no sender goes back to a lower epoch")
	faults.Report(t, "R14", true, "random networks: nothing was sent that could not be received")
}

// A dropper can delay a rotation, not end a session before the hard stop.
func TestHealingBeforeTheHardStopSavesTheSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"), Config{})
		w.connect(w.a)
		n := rapid.SampledFrom(w.nodes()).Draw(t, "node")
		n.do(n.m.Rotate(w.now))
		w.run(time.Duration(rapid.IntRange(0, 40).Draw(t, "ms")) * time.Millisecond)
		w.loss = 1
		w.a.talk()
		w.run(time.Duration(rapid.IntRange(0, 290).Draw(t, "outage s")) * time.Second)
		w.heals()
		w.run(6 * time.Second) // the resend cap and a round trip
		w.wantAgreed()
	})
}
