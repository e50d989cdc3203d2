package discovery

import (
	"slices"
	"testing"
	"time"
)

// places are the first n of a book.
func places(n int) (out []int32) {
	for i := range n {
		out = append(out, int32(i))
	}
	return out
}

// times are the seconds at which peer 1 is asked for, with rounds once a second.
func times(a *asks, from, to int) (out []int) {
	for s := from; s < to; s++ {
		if len(a.due(noon.Add(time.Duration(s)*time.Second), places(1))) > 0 {
			out = append(out, s)
		}
	}
	return out
}

func TestQuestionsBecomeRarer(t *testing.T) {
	var a asks
	got := times(&a, 0, 600)
	if got[0] != 0 || got[1] > 2 || got[2] > 5 || got[3] < 8 {
		t.Errorf("%v", got)
	}
	for i := 7; i < len(got); i++ {
		if pause := got[i] - got[i-1]; pause < 45 || pause > 76 {
			t.Errorf("%d s between two late questions: %v", pause, got)
		}
	}
	if len(got) < 12 || len(got) > 20 {
		t.Errorf("%d questions in 10 minutes: %v", len(got), got)
	}
}

func TestWhoIsLostAgainIsAskedForAtOnce(t *testing.T) {
	var a asks
	times(&a, 0, 300)
	a.due(noon.Add(300*time.Second), nil) // established
	if got := times(&a, 301, 303); len(got) == 0 || got[0] != 301 {
		t.Errorf("%v", got)
	}
}

func TestManyPeersAreAskedForInRounds(t *testing.T) {
	var a asks
	asked := map[int32]int{}
	for s := range 4 {
		due := a.due(noon.Add(time.Duration(s)*time.Nanosecond), places(3000))
		if len(due) > maxAsks {
			t.Errorf("%d at once", len(due))
		}
		for _, p := range due {
			asked[p]++
		}
	}
	if len(asked) != 3000 {
		t.Errorf("%d of 3000 were asked for", len(asked))
	}
}

// A node with thousands of peers that are away asks in one turn of five, for each of them
// about once a minute, and for all within the first seconds.
func TestManyPeersThatAreAwayLetTheNodeSleep(t *testing.T) {
	const n, minutes = 10_000, 10
	var a asks
	asked, turns := make([]int, n), 0
	for s := range minutes * 60 {
		due := a.due(noon.Add(time.Duration(s)*time.Second), places(n))
		if len(due) > 0 {
			turns++
		}
		for _, p := range due {
			asked[p]++
		}
		if least := slices.Min(asked); s == n/maxAsks && least != 1 {
			t.Errorf("after %d s some were asked for %d times", s, least)
		}
	}
	if least, most := slices.Min(asked), slices.Max(asked); least < minutes*60/80 || most > minutes*60/45+1 || turns > minutes*60/4 {
		t.Errorf("%d turns in %d minutes, in which each was asked for %d to %d times", turns, minutes, least, most)
	}
}

func TestPeersAskedForTogetherStayTogether(t *testing.T) {
	var a asks
	for s := range 600 {
		if n := len(a.due(noon.Add(time.Duration(s)*time.Second), places(50))); n != 0 && n != 50 {
			t.Fatalf("%d of 50 peers at second %d", n, s)
		}
	}
}

// Peers that come and go change the places of others, and nothing else.
func TestPeersAreAskedForInTheirRhythmInAnotherBook(t *testing.T) {
	var a asks
	times(&a, 0, 300)
	before := a.of[0]
	a.move(names(1, 1), names(0, 2))
	if len(a.of) != 3 || a.of[1] != before || a.of[0] != (asked{}) || a.of[2] != (asked{}) {
		t.Fatalf("%v, before %v", a.of, before)
	}
	if due := a.due(noon.Add(300*time.Second), places(3)); len(due) < 2 || due[0] != 0 || due[len(due)-1] != 2 {
		t.Errorf("those that are new are asked for at once: %v", due)
	}
	a.move(names(0, 2), names(1, 1))
	if len(a.of) != 1 || a.of[0].times != before.times {
		t.Errorf("%v", a.of)
	}
}
