package node

import (
	"log/slog"
	"testing"
)

// A jump of the real clocks is nothing that a test may make. What can be shown:
// the kernel takes the timer, and closing ends what listens.
func TestTheKernelTellsOfJumps(t *testing.T) {
	j := newJumps(slog.New(slog.DiscardHandler))
	if j.timer == nil {
		t.Error("the kernel refuses the timer")
	}
	j.close()
}
