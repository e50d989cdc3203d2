package reach

import (
	"math/rand/v2"
	"testing"
)

// A trial keeps what is as good as computed, refutes what breaks the promise, and ends.
func TestATrialTellsTheComputedShareFromABrokenPromise(t *testing.T) {
	const runs = 2000
	for share, want := range map[float64][2]float64{sprayMisses: {0.99, 1}, sprayAllowed: {0, 0.08}, 0.1: {0, 0.002}} {
		draw := rand.New(rand.NewPCG(1, 2))
		kept, samples := 0, 0
		for range runs {
			x := SprayTrial()
			for x.Verdict() == Open {
				if x.Add(draw.Float64() < share); x.N == 20_000 {
					t.Fatalf("%v: no verdict after %d samples", share, x.N)
				}
			}
			if samples += x.N; x.Verdict() == Kept {
				kept++
			}
		}
		t.Logf("%v failed: kept in %d of %d, after %d samples on average", share, kept, runs, samples/runs)
		if got := float64(kept) / runs; got < want[0] || got > want[1] {
			t.Errorf("%v failed: kept in %v of all, not %v", share, got, want)
		}
	}
}

func TestBetween(t *testing.T) {
	for x, want := range map[[2]int][2]float64{{0, 0}: {0, 1}, {10, 10}: {0.722, 1}, {96, 100}: {0.902, 0.984}} { // by hand
		least, most := Between(x[0], x[1])
		if d := max(least-want[0], want[0]-least, most-want[1], want[1]-most); d > 0.001 {
			t.Errorf("%v: %.3f to %.3f, not %v", x, least, most, want)
		}
	}
}
