package session

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

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

	joinRate  = 0.2 // joins a second and source prefix
	joinBurst = 5
)

// limiters are a token bucket per source prefix, asked before any KEM work. Prefixes
// that find the table full share buckets by a hash with a random seed: a flood from
// many prefixes slows down those that happen to share one with it, and locks out
// nobody in particular.
type limiters struct {
	mu       sync.Mutex
	byPrefix map[netip.Prefix]*rate.Limiter
	seed     maphash.Seed
	rest     [overflow]*rate.Limiter // shared by the prefixes that found the table full
	swept    time.Time
	rate     rate.Limit // of each bucket
	burst    int
	open     map[netip.Prefix]int
	halfOpen int
}

func newLimiters(r rate.Limit, burst int) *limiters {
	l := &limiters{byPrefix: make(map[netip.Prefix]*rate.Limiter), seed: maphash.MakeSeed(), rate: r, burst: burst,
		open: make(map[netip.Prefix]int)}
	for i := range l.rest {
		l.rest[i] = rate.NewLimiter(r, burst)
	}
	return l
}

// prefixOf is the unit that a stranger can be expected to own: an IPv4 address,
// or a /56 of IPv6.
func prefixOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 56
	}
	p, _ := a.Prefix(bits)
	return p
}

// allow asks the prefix's bucket for one more handshake.
func (l *limiters) allow(from netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limiter(prefixOf(from), now).AllowN(now, 1)
}

// begin takes a place for a handshake whose first message has come; end gives
// it back.
func (l *limiters) begin(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := prefixOf(from)
	if l.halfOpen >= maxHalfOpen || l.open[p] >= perPrefixOpen {
		return false
	}
	l.halfOpen++
	l.open[p]++
	return true
}

func (l *limiters) end(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := prefixOf(from)
	l.halfOpen--
	if l.open[p]--; l.open[p] == 0 {
		delete(l.open, p)
	}
}

// limiter finds the prefix's bucket. A full table forgets the full buckets, at most
// once a second: they hold nothing against anybody.
func (l *limiters) limiter(p netip.Prefix, now time.Time) *rate.Limiter {
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
	b := rate.NewLimiter(l.rate, l.burst)
	l.byPrefix[p] = b
	return b
}
