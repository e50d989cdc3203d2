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
	// rateWindow is the window of a rate, and the sample interval while traffic
	// flows and status is not polled.
	rateWindow = 5 * time.Second
	// rateIdle is the sample interval without traffic: an idle node shall sleep.
	rateIdle = time.Minute
	// rateGap is the distance at which the older of two samples is discarded.
	rateGap = 2 * rateWindow
	// rateStep is the minimum interval between samples when status is polled.
	rateStep = 500 * time.Millisecond
)

// rates say how fast peers send and receive, over the last few seconds. The
// watcher of the host takes samples, and so does status, which reads them.
type rates struct {
	mu   sync.Mutex
	last time.Time
	of   map[did.DID][]sample // oldest first, at most one older than rateWindow
}

// take samples the sessions' counters. It reports whether they have changed since
// the sample before, and how long ago that was.
func (r *rates) take(all []*session.Session, now time.Time) (moved bool, since time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() {
		if since = now.Sub(r.last); since < rateStep {
			return false, since
		}
	}
	before := r.last
	r.last = now
	next := make(map[did.DID][]sample)
	for _, s := range all {
		sum := s.Plane().Total()
		is := sample{now, sum.RxBytes, sum.TxBytes}
		old := r.of[s.DID()]
		if len(old) == 0 && is.rx == 0 && is.tx == 0 {
			continue // it has never moved anything, as most of many peers
		}
		if len(old) == 0 && !before.IsZero() {
			old = []sample{{at: before}}
		}
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

// useful drops samples from the front that are too old for the window.
func useful(all []sample) []sample {
	now := all[len(all)-1].at
	for len(all) > 2 && (now.Sub(all[1].at) >= rateWindow || all[1].at.Sub(all[0].at) > rateGap) {
		all = all[1:]
	}
	return all
}

// sampleNow takes a sample on behalf of a status request. Where traffic has begun
// after a long idle time, that sample alone would give a rate over all of the idle
// time: it takes one more.
func (r *rates) sampleNow(ctx context.Context, all []*session.Session) {
	if moved, since := r.take(all, time.Now()); !moved || since <= rateGap {
		return
	}
	select {
	case <-time.After(rateStep):
		r.take(all, time.Now())
	case <-ctx.Done():
	}
}

// sample takes a periodic sample and returns when the next one is due.
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
