package relay

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// level is the slow way to max-min fairness: the level at which what all want, each at
// most the level, is the total; infinite if that is enough for all.
func level(total float64, wanted []float64) float64 {
	wanted = slices.Sorted(slices.Values(wanted))
	for i, w := range wanted {
		if share := total / float64(len(wanted)-i); w > share {
			return share
		}
		total -= wanted[i]
	}
	return math.Inf(1)
}

func TestLevel(t *testing.T) {
	for _, c := range []struct {
		want   float64
		wanted []float64
	}{{50, []float64{50, 300}}, {70, []float64{30, 300}}, {20, []float64{10, 10, 300, 50, 70, 90}}, {math.Inf(1), []float64{40, 60}}} {
		if got := level(100, c.wanted); got != c.want {
			t.Errorf("of 100, %v: %v, want %v", c.wanted, got, c.want)
		}
	}
}

// fair checks that each source gets 90 % of what max-min fairness gives it, that the total
// is used, and that no more passes than the total and its burst.
func (h *hall) fair(t *testing.T, seed uint64) {
	t.Helper()
	var wanted []float64
	offers, passes := 0.0, 0.0
	for _, l := range h.loads {
		offered, passed := l.through()
		wanted = append(wanted, offered)
		offers += offered
		passes += passed
	}
	total := float64(h.total)
	for _, l := range h.loads {
		keeps(t, l, level(total, wanted), 0.9)
	}
	if passes < 0.95*min(total, offers) {
		t.Errorf("%.3f of the total pass, %.3f are offered", passes/total, offers/total)
	}
	if got, most := h.through()*h.end.Seconds(), total*(h.end+exhausted).Seconds()+65_000; got > most {
		t.Errorf("%.0f bytes pass, at most %.0f should", got, most)
	}
	if t.Failed() {
		t.Fatalf("seed %d: %d sources that want %.0f of %.0f B/s", seed, len(wanted), wanted, total)
	}
}

// Whatever sources want and however they send it, max-min fairness gives each what it
// gets.
func TestSharesAreMaxMinFair(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 11))
		total, n := math.Exp2(6*rng.Float64())*10*mbit, 2+rng.IntN(24)
		h := newHall(int64(100*total), int64(total), 6*time.Second)
		for range n {
			rate := total * math.Pow(10, 2.5*rng.Float64()-2)
			batch := []int{200, 1452, 20_000, 65_000}[rng.IntN(4)]
			batch = min(batch, int(min(rate, total/float64(n))/4)) // one is 5 % of what is measured
			l := h.add(rate, max(batch, int(rate/20_000)))         // not more a second
			l.jitter = 0.9 * rng.Float64()
		}
		h.run(seed)
		h.fair(t, seed)
	}
}

// Two flows on a full hub: one wants half of it, the other three times the total, and
// both receivers answer. Who answers takes a share only of what it sends.
func TestHalfIsKeptBesideWhoAnswers(t *testing.T) {
	for _, total := range []float64{10 * mbit, 40 * mbit, 1000 * mbit} {
		for _, batches := range [][2]int{{1200, 1200}, {1200, 65_000}, {65_000, 1200}, {65_000, 65_000}} {
			h := newHall(int64(total), int64(total), 5*time.Second)
			m, g := h.add(total/2, max(batches[0], int(total/20_000))), h.add(3*total, max(batches[1], int(total/20_000)))
			b, d := h.add(total/1000, 100), h.add(total/1000, 100)
			for _, l := range h.loads {
				l.jitter = 0.5
			}
			h.run(12)
			keeps(t, m, total/2, 0.94)
			h.fair(t, 12)
			if b.passed != b.offered || d.passed != d.offered || g.passed == 0 {
				t.Errorf("of the answers %v and %v pass", b.dropped, d.dropped)
			}
		}
	}
}

// A thousand small sources and a greedy one: they lose nothing, and it has the rest.
func TestThousandSmallSourcesAndAGreedyOne(t *testing.T) {
	const total = 200 * mbit
	h := newHall(100*total, total, 3*time.Second)
	g := h.add(3*total, 65_000)
	for range 1000 {
		h.add(total/2000, 1452).jitter = 0.9
	}
	h.run(13)
	for _, l := range h.loads[1:] {
		if l.passed != l.offered {
			t.Fatalf("%d of %d bytes pass: %v", l.passed, l.offered, l.dropped)
		}
	}
	keeps(t, g, total/2, 0.95)
}

// A source that was idle has its share at once, whoever was there before.
func TestIdleSourceRises(t *testing.T) {
	for _, greedy := range []int{1, 10, 50} {
		const total = 100 * mbit
		h := newHall(100*total, total, 4*time.Second)
		share := float64(total) / float64(greedy+1)
		for range greedy {
			h.add(3*total, 20_000).jitter = 0.5
		}
		l := h.add(share, 20_000)
		h.Admit(0, &l.Source, 1, 100)
		l.jitter, l.from, l.steady = 0.5, 3*time.Second, 3*time.Second
		h.run(14)
		keeps(t, l, share, 0.9)
	}
}

// What a source has used while others left it is not held against it for long when many
// others begin.
func TestLoneSourceGivesWay(t *testing.T) {
	for _, others := range []int{1, 10, 100} {
		const total = 200 * mbit
		h := newHall(100*total, total, 6*time.Second)
		lone := h.add(3*total, 20_000)
		lone.steady = 3 * time.Second
		for range others {
			l := h.add(3*total/float64(others), 5000)
			l.from, l.jitter = 2*time.Second, 0.9
		}
		h.run(15)
		for _, l := range h.loads {
			keeps(t, l, float64(total)/float64(others+1), 0.9)
		}
		if got := h.through(); got > 1.2*total {
			t.Errorf("%.3f of the total pass", got/total)
		}
	}
}
