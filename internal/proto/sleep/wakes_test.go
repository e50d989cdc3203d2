package sleep

import (
	"testing"
	"time"
)

func taken(w *Wakes[int], now time.Time) (all []int) {
	for {
		k, ok := w.Next(now)
		if !ok {
			return all
		}
		all = append(all, k)
	}
}

func TestWakesAreBounded(t *testing.T) {
	var w Wakes[int]
	for i := range 1000 {
		w.Want(i, true)
	}
	if n := len(taken(&w, at(0))); n != wakeBurst {
		t.Fatalf("%d at once, want %d", n, wakeBurst)
	}
	if d := w.Deadline(); !d.Equal(at(0.1)) {
		t.Errorf("the next after %v", d.Sub(start))
	}
	total := wakeBurst
	for now := at(0); now.Before(at(60)); now = now.Add(50 * time.Millisecond) {
		total += len(taken(&w, now))
	}
	if total < 640 || total > 650 {
		t.Errorf("%d within a minute, want 50 and 10 a second", total)
	}
	if w.Waiting() != 1000-total {
		t.Errorf("%d wait", w.Waiting())
	}
}

func TestPacketsComeFirst(t *testing.T) {
	var w Wakes[int]
	w.Want(0, false)
	w.Want(1, false)
	w.Want(2, true)
	w.Want(1, true) // packets now
	w.Want(3, true)
	w.Forget(3)
	w.Want(0, false) // once
	got := taken(&w, at(0))
	if len(got) != 3 || got[0] != 2 || got[1] != 1 || got[2] != 0 {
		t.Errorf("%v, want [2 1 0]", got)
	}
	if w.Waiting() != 0 || !w.Deadline().IsZero() {
		t.Errorf("%d wait, deadline %v", w.Waiting(), w.Deadline())
	}
	w.Want(3, false)
	if got := taken(&w, at(0)); len(got) != 1 || got[0] != 3 {
		t.Errorf("%v after Forget and Want", got)
	}
}

// However many sessions a node keeps, all have been admitted within a minute, evenly; one
// for which packets wait does not wait for them.
func TestStartsAreSpreadOverAMinute(t *testing.T) {
	for _, n := range []int{40, 600, 10_000} {
		var w Wakes[int]
		for i := range n {
			w.Want(i, false)
		}
		if got, most := len(taken(&w, at(0))), wakeBurst+1; got > most {
			t.Errorf("%d of %d at once", got, n)
		}
		for s := range 60 {
			before := w.Waiting()
			for ms := range 1000 {
				taken(&w, at(float64(s)+float64(ms)/1000))
			}
			if got, most := before-w.Waiting(), n/60+2*int(time.Second/wakeEvery); got > most {
				t.Errorf("%d of %d in second %d", got, n, s)
			}
			if s == 5 && n > 1000 {
				w.Want(-1, true)
				if got := taken(&w, at(6.1)); len(got) == 0 || got[0] != -1 {
					t.Errorf("%v before one with packets", got)
				}
			}
		}
		if w.Waiting() > 0 || !w.Deadline().IsZero() {
			t.Errorf("%d of %d wait after a minute", w.Waiting(), n)
		}
	}
}

// A session that is taken out twice, or wanted anew, is counted once.
func TestWantedAgainAfterForget(t *testing.T) {
	var w Wakes[int]
	w.Want(1, false)
	w.Forget(1)
	w.Forget(1)
	w.Want(1, true)
	if got := taken(&w, at(0)); len(got) != 1 || w.Waiting() != 0 || !w.Deadline().IsZero() {
		t.Errorf("%v, %d wait", got, w.Waiting())
	}
}

// An empty queue keeps nothing: sessions whose peers are faster than their admission come and
// go for as long as the node runs.
func TestForgottenSessionsLeaveNothing(t *testing.T) {
	var w Wakes[int]
	for i := range 1000 {
		w.Want(i, i%2 == 0)
		w.Forget(i)
	}
	if n := len(w.queues[first]) + len(w.queues[later]); n > 0 {
		t.Errorf("%d are kept", n)
	}
}
