package discovery

import (
	"math/rand/v2"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const (
	askGap  = time.Second // least time between two questions for a peer
	maxAsks = 16 * maxEntries
)

// pauses follow the first question for a peer, the second, and so on; the last
// one stays. Each varies by a quarter.
func pauses() []time.Duration {
	return []time.Duration{time.Second, 2 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute}
}

// asks decides when which peer is asked for. One goroutine uses it.
type asks struct{ of map[did.DID]asked }

type asked struct {
	times int
	last  time.Time
	next  time.Time
}

// due returns the wanted peers that are to be asked for now, at most 960, and
// notes that they were. Peers that were asked together are asked together again.
// Who is not wanted is forgotten, and asked for at once when that changes.
func (a *asks) due(now time.Time, wanted []did.DID) (out []did.DID) {
	kept := make(map[did.DID]asked, len(wanted))
	vary := 0.75 + rand.Float64()/2
	for _, p := range wanted {
		s := a.of[p]
		if !s.next.After(now) && len(out) < maxAsks {
			out = append(out, p)
			s = s.again(now, vary)
		}
		kept[p] = s
	}
	a.of = kept
	return out
}

func (s asked) again(now time.Time, vary float64) asked {
	p := pauses()
	pause := time.Duration(vary * float64(p[min(s.times, len(p)-1)]))
	return asked{times: s.times + 1, last: now, next: now.Add(max(pause, askGap))}
}

// next is when the first of the wanted is to be asked for again.
func (a *asks) next() (first time.Time, ok bool) {
	for _, s := range a.of {
		if !ok || s.next.Before(first) {
			first, ok = s.next, true
		}
	}
	return first, ok
}
