package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
)

func TestUnconfirmedIsUndoneOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newConfirmation()
		defer c.stop()
		var undone []time.Duration
		start := time.Now()
		undo := func() { undone = append(undone, time.Since(start)) }
		if c.confirm() {
			t.Error("there was nothing to confirm")
		}
		if err := c.begin(time.Minute, undo); err != nil {
			t.Fatal(err)
		}
		if err := c.begin(time.Second, undo); err == nil || !c.pending() {
			t.Error("a second change may wait beside the first")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(undone) != 1 || undone[0] != time.Minute || c.pending() || c.confirm() {
			t.Error(undone, c.pending())
		}
	})
}

func TestConfirmedStays(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newConfirmation()
		defer c.stop()
		undone := 0
		for range 3 {
			if err := c.begin(time.Minute, func() { undone++ }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(59 * time.Second)
			if !c.confirm() || c.confirm() {
				t.Error("not confirmed once")
			}
			time.Sleep(time.Second) // while the next one waits, nothing of this one does
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if undone > 0 {
			t.Error("undone although confirmed")
		}
	})
}

// A node that stops undoes everything itself.
func TestStoppingDoesNotUndoTwice(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newConfirmation()
		if err := c.begin(time.Minute, func() { t.Error("undone after the end") }); err != nil {
			t.Fatal(err)
		}
		c.stop()
		c.stop()
		time.Sleep(time.Hour)
		synctest.Wait()
	})
}
