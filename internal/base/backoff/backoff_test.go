package backoff

import (
	"fmt"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// O10: the times between attempts at a peer that is not there.
func TestBackoffIsCappedAndJittered(t *testing.T) {
	var all [2][]time.Duration
	for i := range all {
		s := Schedule{Min: time.Second, Max: 60 * time.Second}
		now := time.Time{}
		for try := range 12 {
			s.Failed(now)
			d := s.Deadline().Sub(now)
			all[i] = append(all[i], d)
			if want := min(s.Min<<try, s.Max); d > want || d < want*3/4 {
				t.Errorf("try %d waits %v, not about %v", try, d, want)
			}
		}
	}
	if fmt.Sprint(all[0]) == fmt.Sprint(all[1]) {
		t.Error("two nodes wait in step")
	}
	faults.Report(t, "O10", true, "waits of 1 s doubling to 60 s, each less up to a quarter at random: the last %v and %v",
		all[0][11].Round(time.Millisecond), all[1][11].Round(time.Millisecond))
}

func TestSuccessBeginsAnew(t *testing.T) {
	s := Schedule{Min: time.Second, Max: time.Minute}
	now := time.Unix(1000, 0)
	for range 5 {
		s.Failed(now)
	}
	s.Begun()
	if !s.Deadline().IsZero() || s.Tries() != 5 {
		t.Errorf("a try that has begun: %+v", s)
	}
	s.Reset()
	s.Failed(now)
	if d := s.Deadline().Sub(now); d > time.Second {
		t.Errorf("the first try after a success waits %v", d)
	}
	s.Try(now)
	if s.Deadline() != now || s.Tries() != 1 {
		t.Errorf("a try that is brought forward: %+v", s)
	}
}
