package paths

import (
	"testing"
	"time"
)

// What waits for a slot leaves early by less than a slot and the margin, never late, and
// at a slot; a short wait, and one without slots, ends when it is due.
func TestSlotsAreEarlyAndNeverLate(t *testing.T) {
	from := time.Unix(1000, 7)
	s := Slots{From: from}
	for wait := time.Second; wait < time.Minute; wait += 500 * time.Millisecond {
		for at := time.Duration(0); at < 3*slotGap; at += 70 * time.Millisecond {
			due := from.Add(at + wait)
			got := s.early(due, wait)
			if wait < slotLeast || due.Sub(from) < slotMargin {
				if got != due {
					t.Fatalf("a wait of %v ends %v early", wait, due.Sub(got))
				}
				continue
			}
			if e := due.Sub(got); e < slotMargin || e >= slotMargin+slotGap || got.Sub(from)%slotGap != 0 {
				t.Fatalf("a wait of %v ends %v early, %v after a slot", wait, e, got.Sub(from)%slotGap)
			}
			if n := s.Next(due); n.Before(due) || n.Sub(due) >= slotGap || n.Sub(from)%slotGap != 0 {
				t.Fatalf("%v after the slot the next is in %v", due.Sub(from)%slotGap, n.Sub(due))
			}
			if got := (Slots{}).early(due, wait); got != due {
				t.Fatal("early without slots")
			}
		}
	}
}
