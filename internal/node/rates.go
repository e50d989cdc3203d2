package node

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/session"
)

const (
	// rateSamples is how many are kept, one a second while something moves.
	rateSamples = 5
	sampleEvery = time.Second
	// sampleIdle is their distance while nothing moves and nobody asks: an idle
	// node wakes up for little.
	sampleIdle = 2 * time.Minute
	// askedLately is how long somebody who asked is expected to ask again.
	askedLately = 10 * time.Second
)

// A sample is what a session had moved at one moment, inner bytes.
type sample struct {
	at     time.Time
	rx, tx uint64
}

// rates say how fast peers send and receive, over the last few seconds. The
// watcher of the host takes samples, status reads.
type rates struct {
	mu    sync.Mutex
	of    map[did.DID][]sample
	asked time.Time     // when a rate was read last
	wake  chan struct{} // samples are due again; nil in tests
}

// take notes what the sessions have moved by now, and says when to come again.
func (r *rates) take(all []*session.Session, now time.Time) (again time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, moved := make(map[did.DID][]sample), false
	for _, s := range all {
		t := s.Plane().Traffic()
		x := sample{now, t.RxBytes.Load(), t.TxBytes.Load()}
		old := r.of[s.DID()]
		moved = moved || len(old) > 0 && (old[len(old)-1].rx != x.rx || old[len(old)-1].tx != x.tx)
		if len(old) == rateSamples {
			old = old[1:]
		}
		next[s.DID()] = append(old, x)
	}
	r.of = next
	if moved || now.Sub(r.asked) < askedLately {
		return sampleEvery
	}
	return sampleIdle
}

// rate is a peer's, bytes a second, whose session has moved so much by now.
func (r *rates) rate(peer did.DID, rx, tx uint64, now time.Time) (in, out float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.asked) >= askedLately {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	r.asked = now
	from, ok := since(r.of[peer], now)
	if !ok || rx < from.rx || tx < from.tx { // another session of the same peer
		return 0, 0
	}
	over := now.Sub(from.at).Seconds()
	return float64(rx-from.rx) / over, float64(tx-from.tx) / over
}

// since is the sample to compare now with: the oldest of the last seconds, not so
// new that chance decides; where samples were rare, the newest.
func since(all []sample, now time.Time) (best sample, ok bool) {
	for _, x := range all {
		age := now.Sub(x.at)
		if age < sampleEvery/2 {
			break
		}
		best, ok = x, true
		if age <= rateSamples*sampleEvery {
			break
		}
	}
	return best, ok
}
