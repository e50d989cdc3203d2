package session

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds on what strangers can cost (SPEC 6.5).
const (
	maxHalfOpen    = 64   // handshakes that are being answered at once
	maxPrefixes    = 4096 // source prefixes remembered
	perPrefixRate  = 20   // handshakes a second and source prefix
	perPrefixBurst = 40
)

// limiters are a token bucket per source prefix, asked before any KEM work.
type limiters struct {
	mu       sync.Mutex
	byPrefix map[netip.Prefix]*rate.Limiter
	rest     *rate.Limiter // shared by all prefixes that found the table full
	halfOpen int
}

func newLimiters() *limiters {
	return &limiters{byPrefix: make(map[netip.Prefix]*rate.Limiter), rest: newBucket()}
}

func newBucket() *rate.Limiter { return rate.NewLimiter(perPrefixRate, perPrefixBurst) }

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

// begin takes a place for answering one handshake; end gives it back.
func (l *limiters) begin(from netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.halfOpen >= maxHalfOpen || !l.limiter(prefixOf(from), now).AllowN(now, 1) {
		return false
	}
	l.halfOpen++
	return true
}

func (l *limiters) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halfOpen--
}

// limiter finds the prefix's bucket. A full table forgets the full buckets
// first: they hold nothing against anybody.
func (l *limiters) limiter(p netip.Prefix, now time.Time) *rate.Limiter {
	if b := l.byPrefix[p]; b != nil {
		return b
	}
	if len(l.byPrefix) >= maxPrefixes {
		for q, b := range l.byPrefix {
			if b.TokensAt(now) >= perPrefixBurst {
				delete(l.byPrefix, q)
			}
		}
	}
	if len(l.byPrefix) >= maxPrefixes {
		return l.rest
	}
	b := newBucket()
	l.byPrefix[p] = b
	return b
}
