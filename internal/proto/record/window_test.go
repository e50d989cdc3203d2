package record

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// oracle is the slow model of a window: a set and the newest number.
type oracle struct {
	seen   map[uint64]bool
	newest uint64
}

func (o *oracle) accept(c uint64) bool {
	if o.seen[c] || c+WindowSize <= o.newest {
		return false
	}
	o.seen[c] = true
	o.newest = max(o.newest, c)
	return true
}

func compare(t rapid.TB, w *window, o *oracle, c uint64) {
	t.Helper()
	fresh, want := w.fresh(c), o.accept(c)
	if fresh != want {
		t.Fatalf("fresh(%d) = %v, want %v (newest %d)", c, fresh, want, o.newest)
	}
	if got := w.accept(c); got != want {
		t.Fatalf("accept(%d) = %v, want %v (newest %d)", c, got, want, o.newest)
	}
}

func TestWindowEdges(t *testing.T) {
	var w window
	o := oracle{seen: make(map[uint64]bool)}
	for _, c := range []uint64{0, 0, 1, WindowSize, 1, 0, WindowSize + 1, 2, 1, 3 * WindowSize, 2*WindowSize + 1, 2 * WindowSize,
		63, 64, 1 << 40, 1<<40 - WindowSize + 1, 1<<40 - WindowSize, wire.MaxCounter, wire.MaxCounter - 1, wire.MaxCounter} {
		compare(t, &w, &o, c)
	}
}

// SPEC R-4-3.
func TestWindowEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		o := oracle{seen: make(map[uint64]bool)}
		near := rapid.Custom(func(t *rapid.T) int64 {
			return rapid.OneOf(rapid.Int64Range(-70, 70), rapid.Int64Range(-WindowSize-70, -WindowSize+70),
				rapid.Int64Range(-WindowSize, 3*WindowSize)).Draw(t, "step")
		})
		for range rapid.IntRange(1, 300).Draw(t, "n") {
			step := near.Draw(t, "number")
			compare(t, &w, &o, uint64(max(0, int64(o.newest)+step)))
		}
	})
}

func TestWindowTakesAShuffledRunOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []int{1, 50, 1000, WindowSize} {
		const n = 40000
		order := make([]uint64, n)
		for i := range order {
			order[i] = uint64(i)
		}
		for i := 0; i < n; i += spread {
			part := order[i:min(i+spread, n)]
			r.Shuffle(len(part), func(a, b int) { part[a], part[b] = part[b], part[a] })
		}
		var w window
		for _, c := range order {
			if !w.accept(c) {
				t.Fatalf("spread %d: %d refused", spread, c)
			}
			if w.accept(c) {
				t.Fatalf("spread %d: %d taken twice", spread, c)
			}
		}
	}
	faults.Report(t, "F10", true, "a number is taken once, by whatever link its record comes: the window is the epoch's")
	faults.Report(t, "L6", true, "runs shuffled over up to %d places: each number taken once", WindowSize)
}
