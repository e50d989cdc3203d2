package mailbox

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many posters, one loop: every call runs once, those of one poster in order.
func TestEveryCallRunsOnceInOrder(t *testing.T) {
	m := New(1)
	const posters, each = 4, 1000
	var wg sync.WaitGroup
	var ran [posters][]int
	for p := range posters {
		wg.Go(func() {
			for i := range each {
				m.Post(func(time.Time) { ran[p] = append(ran[p], i) })
			}
		})
	}
	for n := 0; n < posters*each; {
		<-m.Wake()
		for _, call := range m.Take() {
			call(time.Time{})
			n++
		}
	}
	wg.Wait()
	for p := range ran {
		if len(ran[p]) != each || !slices.IsSorted(ran[p]) {
			t.Errorf("poster %d: %d calls ran", p, len(ran[p]))
		}
	}
}

// Bounded calls have room again once they have run; others are never refused.
func TestBoundedCallsAreBounded(t *testing.T) {
	m := New(2)
	post := func() bool { return m.PostBounded(func(time.Time) {}) }
	if got := [3]bool{post(), post(), post()}; got != [3]bool{true, true, false} {
		t.Fatalf("of three calls with a limit of 2 are taken: %v", got)
	}
	if !m.Post(func(time.Time) {}) {
		t.Error("another call is refused")
	}
	for _, call := range m.Take() {
		call(time.Time{})
	}
	if !post() {
		t.Error("no room after the calls have run")
	}
}

func TestClosedMailboxRefusesAndReturnsTheRest(t *testing.T) {
	m := New(2)
	m.Post(func(time.Time) {})
	if rest := m.Close(); len(rest) != 1 {
		t.Errorf("%d calls waited", len(rest))
	}
	if m.Post(func(time.Time) {}) || m.PostBounded(func(time.Time) {}) || len(m.Take()) != 0 {
		t.Error("a closed mailbox takes calls")
	}
}

// Loops that rest as often as they can, and posters that start them: every call runs
// once, one loop at a time, and Tell reaches a loop or says that there is none.
func TestNoCallIsLeftWithoutALoop(t *testing.T) {
	var m Mailbox
	var running, loops, ran, told atomic.Int64
	var all sync.WaitGroup
	live := func() {
		for wake := m.Wake(); ; {
			<-wake
			if running.Add(1) != 1 {
				t.Error("two loops run")
			}
			for _, call := range m.Take() {
				call(time.Time{})
			}
			running.Add(-1)
			if m.Rest(func() { loops.Add(1) }) {
				return
			}
		}
	}
	m.Init(1, func() { all.Go(live) })
	if m.Tell(func(time.Time) {}) {
		t.Error("told a loop that rests")
	}
	const posters, each = 4, 20_000
	var posting sync.WaitGroup
	for p := range posters {
		posting.Go(func() {
			for i := range each {
				switch {
				case i%3 > 0:
					m.Post(func(time.Time) { ran.Add(1) })
				case m.Tell(func(time.Time) { ran.Add(1) }):
				default:
					told.Add(1)
				}
				if i%16 == p {
					m.Resting(func() {
						if running.Load() != 0 {
							t.Error("a loop runs that rests")
						}
					})
					runtime.Gosched()
				}
			}
		})
	}
	posting.Wait()
	all.Wait()
	if n := ran.Load() + told.Load(); n != posters*each {
		t.Errorf("%d of %d calls", n, posters*each)
	}
	if !m.CloseResting(func() {}) || m.Post(func(time.Time) {}) || m.Resting(func() {}) {
		t.Error("a closed mailbox starts a loop")
	}
	t.Log(loops.Load(), "loops")
}

func TestNewestKeepsTheNewest(t *testing.T) {
	var n Newest[int]
	for i := range 5 {
		if first := n.Add(i, 3); first != (i == 0) {
			t.Errorf("value %d: first is %v", i, first)
		}
	}
	if got := n.Take(); fmt.Sprint(got) != "[2 3 4]" {
		t.Error(got)
	}
	if !n.Add(5, 3) {
		t.Error("a value waits after Take")
	}
}
