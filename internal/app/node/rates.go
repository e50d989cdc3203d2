package node

import (
	"context"
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
	// taken while something moves and nobody asks.
	rateWindow = 5 * time.Second
	// rateIdle is how often while nothing moves: an idle node is to sleep.
	rateIdle = time.Minute
	// rateGap between two samples makes the older one useless for a rate of now.
	rateGap = 2 * rateWindow
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

// take notes what the sessions have moved by now, and tells whether they have
// moved anything since the sample before, and how long ago that was.
func (r *rates) take(all []*session.Session, now time.Time) (moved bool, since time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() {
		if since = now.Sub(r.last); since < rateStep {
			return false, since
		}
	}
	r.last = now
	next := make(map[did.DID][]sample)
	for _, s := range all {
		sum := s.Plane().Traffic().Total()
		is := sample{now, sum.RxBytes, sum.TxBytes}
		old := r.of[s.DID()]
		var was sample
		if len(old) > 0 {
			was = old[len(old)-1]
		}
		moved = moved || is.rx != was.rx || is.tx != was.tx
		next[s.DID()] = useful(append(old, is))
	}
	r.of = next
	return moved, since
}

// useful leaves out samples from the front that say nothing of the last seconds.
func useful(all []sample) []sample {
	now := all[len(all)-1].at
	for len(all) > 2 && (now.Sub(all[1].at) >= rateWindow || all[1].at.Sub(all[0].at) > rateGap) {
		all = all[1:]
	}
	return all
}

// now takes a sample for who asks. Where traffic has begun after a long silence
// that sample alone would give a rate over all of the silence: it takes one more.
func (r *rates) now(ctx context.Context, all []*session.Session) {
	if moved, since := r.take(all, time.Now()); !moved || since <= rateGap {
		return
	}
	select {
	case <-time.After(rateStep):
		r.take(all, time.Now())
	case <-ctx.Done():
	}
}

// sample takes one by itself, and tells when the next one is due.
func (r *rates) sample(all []*session.Session, now time.Time) (next time.Duration) {
	if moved, since := r.take(all, now); moved || since < rateStep {
		return rateWindow
	}
	return rateIdle
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
