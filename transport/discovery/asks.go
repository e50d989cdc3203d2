package discovery

import (
	"math/rand/v2"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const (
	askGap  = time.Second // least time between two questions for a peer
	askRest = 5           // turns of which one asks, where one turn cannot ask for all
	maxAsks = 16 * maxEntries
)

// pauses follow the first question for a peer, the second, and so on; the last
// one stays. Each varies by a quarter.
func pauses() []time.Duration {
	return []time.Duration{time.Second, 2 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute}
}

// asks decides when which peer is asked for. Peers are known by their places in the
// book. One goroutine uses it.
type asks struct {
	begun time.Time // the first round, from which times are counted
	of    []asked   // by place
}

type asked struct {
	next   time.Duration
	times  uint8 // the number of pauses at most
	wanted bool
}

// due returns the wanted peers, which are given in order, that are to be asked for now,
// at most 960, and notes that they were. Peers that were asked together are asked together again.
// Who is not wanted is forgotten, and asked for at once when that changes.
func (a *asks) due(now time.Time, wanted []int32) (out []int32) {
	if a.begun.IsZero() {
		a.begun = now
	}
	a.reach(wanted)
	at, vary, least := now.Sub(a.begun), 0.75+rand.Float64()/2, leastPause(len(wanted))
	for i := range a.of {
		s := &a.of[i]
		if len(wanted) == 0 || wanted[0] != int32(i) {
			*s = asked{}
			continue
		}
		wanted, s.wanted = wanted[1:], true
		if s.next <= at && len(out) < maxAsks {
			out = append(out, int32(i))
			s.again(at, vary, least)
		}
	}
	return out
}

// reach makes place for all that are wanted.
func (a *asks) reach(wanted []int32) {
	if n := len(wanted); n > 0 && int(wanted[n-1]) >= len(a.of) {
		a.of = append(a.of, make([]asked, int(wanted[n-1])+1-len(a.of))...)
	}
}

// leastPause is that between two questions for a peer when n are wanted. Without it a node
// with 10,000 peers that are away would ask in each turn of its first minute.
func leastPause(n int) time.Duration {
	if n <= maxAsks {
		return askGap
	}
	return askRest * time.Duration(n) * tick / maxAsks
}

func (s *asked) again(at time.Duration, vary float64, least time.Duration) {
	p := pauses()
	pause := time.Duration(vary * float64(p[min(int(s.times), len(p)-1)]))
	s.times = uint8(min(int(s.times)+1, len(p)))
	s.next = at + max(pause, least)
}

// next is when the first of the wanted is to be asked for again.
func (a *asks) next() (first time.Time, ok bool) {
	var least time.Duration
	for i := range a.of {
		if s := &a.of[i]; s.wanted && (!ok || s.next < least) {
			least, ok = s.next, true
		}
	}
	return a.begun.Add(least), ok
}

// move takes what is known of peers to their places in another book.
func (a *asks) move(before, now []did.DID) {
	of := make(map[did.DID]asked, len(a.of))
	for i, s := range a.of {
		of[before[i]] = s
	}
	a.of = make([]asked, len(now))
	for i, p := range now {
		a.of[i] = of[p]
	}
}
