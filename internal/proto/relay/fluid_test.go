package relay

import (
	"math/rand/v2"
	"testing"
	"time"
)

// gps is fair queueing the slow way: all queues, one after another.
type gps map[*Source]float64

func (g gps) run(t float64) {
	for t > 0 {
		busy, least := 0.0, 0.0
		for _, q := range g {
			if q > 0 {
				if busy++; least == 0 || q < least {
					least = q
				}
			}
		}
		if busy == 0 {
			return
		}
		out := min(least, t/busy)
		t -= out * busy
		for s, q := range g {
			if g[s] = q - out; g[s] < 1e-3 {
				g[s] = 0
			}
		}
	}
}

// The queues of the model are those of fair queueing, as exact as a slot, and all are
// empty when the total has had time for what went in.
func TestFluidIsFairQueueing(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 16))
		var f fluid
		f.init()
		sources, slow := make([]Source, 1+rng.IntN(30)), gps{}
		now, in := time.Duration(0), time.Duration(0)
		for range 3000 {
			gap := time.Duration(rng.Int64N(int64(2 * time.Millisecond)))
			if rng.IntN(500) == 0 {
				gap = time.Second
			}
			now += gap
			f.run(now)
			slow.run(float64(gap))
			in = max(0, in-gap)
			if s := &sources[rng.IntN(len(sources))]; in < 800*time.Millisecond {
				cost := rng.Int64N(1 << (10 + rng.IntN(12)))
				f.add(s, cost)
				slow[s] += float64(cost)
				in += time.Duration(cost)
				s.heldTo = 1 << 62
			}
			for i := range sources {
				s := &sources[i]
				if got, want := float64(f.queued(s)), slow[s]; got < want-float64(slotTime) || got > want+float64(slotTime) {
					t.Fatalf("seed %d at %v: source %d of %d has %.0f queued, want %.0f", seed, now, i, len(sources), got, want)
				}
			}
		}
		f.run(now + in + time.Microsecond)
		if f.busy != 0 || f.work != 0 || f.ending != [slots]ending{} {
			t.Fatalf("seed %d: something is left: %d sources, %d", seed, f.busy, f.work)
		}
	}
}

// A queue is not held against a source for much longer than it would have taken to empty
// when it was filled, however many sources come. What is left is not forgotten: all bear it.
func TestPatience(t *testing.T) {
	var f fluid
	f.init()
	s, others := new(Source), make([]Source, 100)
	f.add(s, int64(50*time.Millisecond))
	for i := range others {
		f.add(&others[i], int64(5*time.Millisecond))
	}
	f.run(99 * time.Millisecond)
	if q := time.Duration(f.queued(s)); q < 48*time.Millisecond {
		t.Errorf("%v queued", q)
	}
	f.run(101 * time.Millisecond)
	if q := f.queued(s); q != 0 {
		t.Errorf("%v queued", time.Duration(q))
	}
	f.add(s, 1000)
	if q := f.queued(s); q != 1000 {
		t.Errorf("%v queued", time.Duration(q))
	}
	if f.run(549 * time.Millisecond); f.busy == 0 {
		t.Error("all is empty before the total has had time for it")
	}
	if f.run(551 * time.Millisecond); f.busy != 0 {
		t.Errorf("%d sources have something when the total has had time for all", f.busy)
	}
}

// What is held against a source grows with its batches, up to the longest queue; a small
// one does not lower what a large one has used.
func TestSmallBatchForgivesNothing(t *testing.T) {
	var f fluid
	f.init()
	s, longest := new(Source), int64(slots*slotTime)
	for _, c := range []struct{ cost, want int64 }{{300, 300}, {100, 400}, {1 << 60, longest - 1}, {10, longest - 1}} {
		if f.add(s, c.cost); f.queued(s) != c.want {
			t.Errorf("after %d: %d queued, want %d", c.cost, f.queued(s), c.want)
		}
	}
	if f.run(time.Second); f.queued(s) != longest-1-int64(time.Second) {
		t.Errorf("%d queued a second later", f.queued(s))
	}
	if f.run(2 * time.Second); f.queued(s) != 0 || f.busy != 0 {
		t.Errorf("%d queued long after", f.queued(s))
	}
}

// Who sends without end counts as a source, and who sends a little hardly.
func TestSourcesCountForWhatTheySend(t *testing.T) {
	var f fluid
	f.init()
	greedy, little := make([]Source, 3), make([]Source, 1000)
	for n := range greedy {
		f.add(&greedy[n], int64(200*time.Millisecond))
		for i := range 500 {
			f.run(f.model + 20*time.Microsecond)
			f.add(&little[(i+n)%len(little)], 800)
		}
		if got := f.sources(); got != int64(n+1) {
			t.Errorf("%d sources and many small ones count for %d", n+1, got)
		}
	}
}
