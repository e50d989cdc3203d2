package discovery

import (
	"testing"
	"time"
)

// times are the seconds at which peer 1 is asked for, with turns once a second.
func times(a *asks, from, to int) (out []int) {
	for s := from; s < to; s++ {
		if len(a.due(noon.Add(time.Duration(s)*time.Second), names(1, 1))) > 0 {
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

func TestManyPeersAreAskedForInTurns(t *testing.T) {
	var a asks
	asked := map[string]int{}
	for s := range 4 {
		due := a.due(noon.Add(time.Duration(s)*time.Nanosecond), names(1, 3000))
		if len(due) > maxAsks {
			t.Errorf("%d at once", len(due))
		}
		for _, p := range due {
			asked[p.String()]++
		}
	}
	if len(asked) != 3000 {
		t.Errorf("%d of 3000 were asked for", len(asked))
	}
}

func TestPeersAskedForTogetherStayTogether(t *testing.T) {
	var a asks
	for s := range 600 {
		if n := len(a.due(noon.Add(time.Duration(s)*time.Second), names(1, 50))); n != 0 && n != 50 {
			t.Fatalf("%d of 50 peers at second %d", n, s)
		}
	}
}
