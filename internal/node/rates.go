package node

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/session"
)

// A sample is what a session had moved at one moment, inner bytes.
type sample struct {
	at     time.Time
	rx, tx uint64
}

const (
	// rateWindow is over how long rates are meant, and how often a sample is
	// taken when nobody asks: an idle node is to sleep.
	rateWindow = 5 * time.Second
	// rateStep is the least time between samples of who asks often.
	rateStep = 500 * time.Millisecond
)

// rates say how fast peers send and receive, over the last few seconds. The
// watcher of the host takes samples, and so does status, which reads them.
type rates struct {
	mu   sync.Mutex
	last time.Time
	of   map[did.DID][]sample // oldest first, at most one older than rateWindow
}

// take notes what the sessions have moved by now.
func (r *rates) take(all []*session.Session, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last) < rateStep {
		return
	}
	r.last = now
	next := make(map[did.DID][]sample)
	for _, s := range all {
		t := s.Plane().Traffic()
		old := r.of[s.DID()]
		for len(old) > 1 && now.Sub(old[1].at) >= rateWindow {
			old = old[1:]
		}
		next[s.DID()] = append(old, sample{now, t.RxBytes.Load(), t.TxBytes.Load()})
	}
	r.of = next
}

// rate is a peer's, bytes a second.
func (r *rates) rate(peer did.DID) (rx, tx float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.of[peer]
	if len(all) < 2 {
		return 0, 0
	}
	first, last := all[0], all[len(all)-1]
	over := last.at.Sub(first.at).Seconds()
	if over <= 0 || last.rx < first.rx || last.tx < first.tx { // another session of the same peer
		return 0, 0
	}
	return float64(last.rx-first.rx) / over, float64(last.tx-first.tx) / over
}
