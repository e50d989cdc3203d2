package paths

import (
	"testing"
	"time"
)

// Packets that came steadily and cease are noticed once, within half a second; those that
// come now and then, or go on, are not.
func TestSteadyPacketsCease(t *testing.T) {
	for _, c := range []struct {
		name       string
		gap, flow  time.Duration
		ceasedOnce bool
	}{
		{"a flow of 5 ms", 5 * time.Millisecond, 10 * time.Second, true},
		{"a flow of 200 ms", 200 * time.Millisecond, 10 * time.Second, true},
		{"one packet a second", time.Second, 10 * time.Second, false},
		{"a short burst", 5 * time.Millisecond, 500 * time.Millisecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x inflow
			start := time.Unix(0, 0)
			armed, ceased := true, []time.Duration(nil)
			for at := time.Duration(0); at < c.flow+5*time.Second; at += time.Millisecond {
				now := start.Add(at)
				if at < c.flow && at%c.gap == 0 && armed {
					x.came(now)
					armed = false
				}
				if x.look(now) {
					ceased = append(ceased, at-c.flow)
				}
				armed = x.wants()
			}
			if c.ceasedOnce != (len(ceased) == 1) || len(ceased) > 1 || len(ceased) == 1 && (ceased[0] < 0 || ceased[0] > 500*time.Millisecond) {
				t.Errorf("noticed after the end: %v", ceased)
			}
			if d := x.deadline(); !d.IsZero() {
				t.Errorf("it still wakes at %v", d)
			}
		})
	}
}
