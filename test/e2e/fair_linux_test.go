package e2e

import (
	"testing"
	"time"
)

// One peer's UDP flood does not starve another peer's TCP: neither when the flood
// comes in where the TCP comes in, nor when both leave the same node. With one
// processor for each node, and with as many as there are. How much is left of the
// speed depends on what else the processors do, and is no claim of this test.
func TestFloodOfAPeerLeavesTheOtherItsShare(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"GOMAXPROCS=1": {"GOMAXPROCS=1"}, "all processors": nil} {
		t.Run(name, func(t *testing.T) {
			w, a, b, c := trio(t, env...)
			w.beside("in: B's TCP to A, while C floods A", c, a, b, a)
			w.beside("out: A's TCP to B, while A floods C", a, c, a, b)
		})
	}
}

// beside sends TCP from one node to another beside a flood of up to 400 Mbit/s from
// one to another, and fails the test if it is starved.
func (w *world) beside(what string, flooder, flooded, from, to *node) {
	w.Helper()
	stop, sent := w.floodOf(flooder, flooded.v4, 40)
	w.eventually(10*time.Second, "the flood is under way", func() bool { return sent.Load() > 1000 })
	before := sent.Load()
	took := w.transfer(from.Host, to.Host, to.v4, either[int64](5_000_000, 100_000_000))
	during := sent.Load() - before
	stop()
	w.Logf("%s: %v beside %d packets", what, took, during)
	if limit := either(30*time.Second, 2*time.Minute); took > limit {
		w.Errorf("%s: starved: %v, not %v", what, took, limit)
	}
}
