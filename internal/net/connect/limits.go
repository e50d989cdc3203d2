package connect

import (
	"context"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"golang.org/x/time/rate"
)

// Bounds on what strangers can cost (SPEC 6.5).
const (
	maxHalfOpen    = 64   // handshakes that are being answered at once
	perPrefixOpen  = 8    // of these, from one source prefix
	maxPrefixes    = 4096 // source prefixes remembered
	overflow       = 256  // buckets that further prefixes share
	sweepEvery     = time.Second
	perPrefixRate  = 20 // handshakes a second and source prefix
	perPrefixBurst = 40
)

// Limits are a token bucket per source prefix, asked before any KEM work. Prefixes
// that find the table full share buckets by a hash with a random seed: a flood from
// many prefixes slows down those that happen to share one with it, and locks out
// nobody in particular.
type Limits struct {
	mu       sync.Mutex
	byPrefix map[netip.Prefix]*bucket
	seed     maphash.Seed
	rest     [overflow]*bucket // shared by the prefixes that found the table full
	swept    time.Time
	rate     rate.Limit // of each bucket
	burst    int
	open     map[netip.Prefix]int
	halfOpen int
	queue    []*queued // handshakes that wait for a place, in the order of arrival
}

// A bucket is a prefix's. A handshake that has proven its peer gives back what it has
// taken: peers behind one address translator, which all come back when this node
// restarts, do not hold one another up.
type bucket struct {
	*rate.Limiter
	returned int
}

func (b *bucket) take(now time.Time) bool {
	if b.returned > 0 {
		b.returned--
		return true
	}
	return b.AllowN(now, 1)
}

// A queued handshake waits until ready is closed.
type queued struct {
	from  netip.Prefix
	ready chan struct{}
}

// NewLimits allows burst handshakes at once from one prefix, and then r a second.
func NewLimits(r rate.Limit, burst int) *Limits {
	l := &Limits{byPrefix: make(map[netip.Prefix]*bucket), seed: maphash.MakeSeed(), rate: r, burst: burst,
		open: make(map[netip.Prefix]int)}
	for i := range l.rest {
		l.rest[i] = &bucket{Limiter: rate.NewLimiter(r, burst)}
	}
	return l
}

// Allow asks the prefix's bucket for one more handshake.
func (l *Limits) Allow(from netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limiter(netaddr.SourceOf(from), now).take(now)
}

// proven gives back what a handshake has taken from its prefix's bucket.
func (l *Limits) proven(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.byPrefix[netaddr.SourceOf(from)]; b != nil {
		b.returned = min(b.returned+1, l.burst)
	}
}

// begin waits for a place for a handshake whose first message has come; end gives
// it back. Connections bound how many wait, and how long: until ctx ends, or the
// connection (gone).
func (l *Limits) begin(ctx context.Context, gone <-chan struct{}, from netip.Addr) error {
	q := &queued{netaddr.SourceOf(from), make(chan struct{})}
	l.mu.Lock()
	l.queue = append(l.queue, q)
	l.admit()
	l.mu.Unlock()
	if closed(q.ready) {
		return nil
	}
	select {
	case <-q.ready:
		return nil
	case <-gone:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue, q); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	} else { // it has just got one
		l.giveBack(q.from)
	}
	return errTooMany
}

func (l *Limits) end(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveBack(netaddr.SourceOf(from))
}

// giveBack frees a place; l.mu is held.
func (l *Limits) giveBack(p netip.Prefix) {
	l.halfOpen--
	if l.open[p]--; l.open[p] == 0 {
		delete(l.open, p)
	}
	l.admit()
}

// admit gives what is free to those that wait and may have it; l.mu is held.
func (l *Limits) admit() {
	l.queue = slices.DeleteFunc(l.queue, func(q *queued) bool {
		if l.halfOpen >= maxHalfOpen || l.open[q.from] >= perPrefixOpen {
			return false
		}
		l.halfOpen++
		l.open[q.from]++
		close(q.ready)
		return true
	})
}

// limiter finds the prefix's bucket. A full table forgets the full buckets, at most
// once a second: they hold nothing against anybody.
func (l *Limits) limiter(p netip.Prefix, now time.Time) *bucket {
	if b := l.byPrefix[p]; b != nil {
		return b
	}
	if len(l.byPrefix) >= maxPrefixes && now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		for q, b := range l.byPrefix {
			if b.TokensAt(now) >= float64(l.burst) {
				delete(l.byPrefix, q)
			}
		}
	}
	if len(l.byPrefix) >= maxPrefixes {
		return l.rest[maphash.Comparable(l.seed, p)%overflow]
	}
	b := &bucket{Limiter: rate.NewLimiter(l.rate, l.burst)}
	l.byPrefix[p] = b
	return b
}
