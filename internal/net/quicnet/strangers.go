package quicnet

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// Bounds on accepted QUIC connections whose peer has not proven who it is, SPEC 3.4.
const (
	maxUnproven    = 256 // in all
	maxUnprovenOne = 8   // of one source (an IPv4 address, or a /56) without peers
	maxMore        = 56  // beyond these, one for each peer that is connected from there
	maxReserved    = 64  // beside these, of sources at which a peer has proven itself
	maxEvicted     = 256 // evicted ones that have not ended yet

	maxKnownSources = 1024
	knownSourceLife = 24 * time.Hour
)

// strangerBounds are those of one book of strangers, as the constants have them.
type strangerBounds struct{ all, one, more, reserved, evicted int }

// strangersBySocket bounds those that come by the socket.
var strangersBySocket = strangerBounds{maxUnproven, maxUnprovenOne, maxMore, maxReserved, maxEvicted}

// errBusy refuses a connection before any work for it.
var errBusy = errors.New("transport: too many connections of strangers")

// unproven counts the accepted connections of strangers, from the moment when QUIC
// takes their first packet until they are proven or have ended. When all places are
// taken, a newcomer whose address is proven (by Retry) gets that of the oldest
// connection of the network that has the most: an attacker displaces itself before
// it displaces others. Sources at which a peer has proven itself have places of
// their own.
type unproven struct {
	refused *atomic.Uint64
	bounds  strangerBounds // not changed after use

	mu       sync.Mutex
	all      map[*place]struct{} // without the reserved ones
	of       map[netip.Prefix]int
	reserved map[netip.Prefix]int
	inReserve,
	evicted int
	proven map[netip.Prefix]int       // accepted connections of peers, of both links
	known  map[netip.Prefix]time.Time // sources of proven peers, and when last
}

func newUnproven(refused *atomic.Uint64) *unproven {
	return &unproven{refused: refused, bounds: strangersBySocket, all: make(map[*place]struct{}), of: make(map[netip.Prefix]int),
		reserved: make(map[netip.Prefix]int), proven: make(map[netip.Prefix]int), known: make(map[netip.Prefix]time.Time)}
}

// A place is what one connection holds. Its fields are guarded by unproven.mu.
type place struct {
	u     *unproven
	from  netip.Prefix
	since time.Time
	state placeState
	close func() // ends the connection; nil before its handshake has begun
}

type placeState uint8

const (
	placeHeld placeState = iota
	placeReserved
	placeEvicted // another connection has it
	placeProven  // counts for its source
	placeFree    // ended
)

// placeKey is where a connection's context has its place.
type placeKey struct{}

// enter is quic.Transport.ConnContext: an error refuses the connection before TLS.
func (u *unproven) enter(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	p, err := u.take(netaddr.PortOf(info.RemoteAddr).Addr(), info.AddrVerified, time.Now())
	if err != nil {
		u.refused.Add(1)
		return nil, err
	}
	context.AfterFunc(ctx, p.leave)
	return context.WithValue(ctx, placeKey{}, p), nil
}

// take finds a place for a newcomer. What it evicts is closed.
func (u *unproven) take(a netip.Addr, verified bool, now time.Time) (*place, error) {
	u.mu.Lock()
	p := &place{u: u, from: netaddr.SourceOf(a), since: now}
	closing, err := u.put(p, verified)
	u.mu.Unlock()
	if closing != nil {
		closing()
	}
	return p, err
}

// put gives p a place; u.mu is held.
func (u *unproven) put(p *place, verified bool) (closing func(), err error) {
	room := u.of[p.from] < u.bounds.one+u.more(p.from)
	switch {
	case room && len(u.all) < u.bounds.all:
	case verified && u.isKnown(p.from, p.since) && u.inReserve < u.bounds.reserved && u.reserved[p.from] < u.bounds.one:
		p.state = placeReserved
		u.inReserve++
		u.reserved[p.from]++
		return nil, nil
	case room && verified && u.evict(p.from, &closing):
	default:
		p.state = placeFree
		return nil, errBusy
	}
	u.all[p] = struct{}{}
	u.of[p.from]++
	return closing, nil
}

// evict frees the place of the oldest connection of the network that has the most,
// unless the newcomer's has as many.
func (u *unproven) evict(from netip.Prefix, closing *func()) bool {
	if u.evicted >= u.bounds.evicted {
		return false
	}
	networks := make(map[netip.Prefix]int)
	for p := range u.all {
		networks[netaddr.BlockOf(p.from.Addr())]++
	}
	var victim *place
	for p := range u.all {
		if victim == nil {
			victim = p
			continue
		}
		n, m := networks[netaddr.BlockOf(p.from.Addr())], networks[netaddr.BlockOf(victim.from.Addr())]
		if n > m || n == m && p.since.Before(victim.since) {
			victim = p
		}
	}
	if networks[netaddr.BlockOf(victim.from.Addr())] <= networks[netaddr.BlockOf(from.Addr())] {
		return false
	}
	u.remove(victim)
	victim.state = placeEvicted
	u.evicted++
	*closing = victim.close
	return true
}

// remove takes a held place off the books; u.mu is held.
func (u *unproven) remove(p *place) {
	delete(u.all, p)
	if u.of[p.from]--; u.of[p.from] == 0 {
		delete(u.of, p.from)
	}
}

// opened names what ends the connection; it reports false for one that has been
// evicted meanwhile.
func (p *place) opened(end func()) bool {
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	p.close = end
	return p.state != placeEvicted
}

// prove gives the place back to strangers: the connection is a peer's.
func (p *place) prove() {
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	if p.state == placeHeld || p.state == placeReserved {
		p.free()
		p.state = placeProven
		p.u.proven[p.from]++
	}
}

// leave gives the place back, once.
func (p *place) leave() {
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	p.free()
	p.state = placeFree
}

// free takes the place off the books; u.mu is held.
func (p *place) free() {
	switch p.state {
	case placeHeld:
		p.u.remove(p)
	case placeReserved:
		p.u.inReserve--
		if p.u.reserved[p.from]--; p.u.reserved[p.from] == 0 {
			delete(p.u.reserved, p.from)
		}
	case placeEvicted:
		p.u.evicted--
	case placeProven:
		p.u.disconnect(p.from)
	}
	p.close = nil
}

// more is how many more strangers a source may have for the peers that are connected
// from there: many peers behind one address translator come back together when this
// node restarts, and each that is back makes room for one more. Whoever has no peer's
// key gains nothing. u.mu is held.
func (u *unproven) more(from netip.Prefix) int { return min(u.proven[from], u.bounds.more) }

// disconnect takes a peer's connection off the books; u.mu is held.
func (u *unproven) disconnect(from netip.Prefix) {
	if u.proven[from]--; u.proven[from] == 0 {
		delete(u.proven, from)
	}
}

// moreFrom is more for an address.
func (u *unproven) moreFrom(a netip.Addr) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.more(netaddr.SourceOf(a))
}

// connect counts a peer's connection that had its place elsewhere, until gone.
func (u *unproven) connect(a netip.Addr) (gone func()) {
	from := netaddr.SourceOf(a)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.proven[from]++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.disconnect(from)
	}
}

// learn notes that a peer has proven itself at an address. Of too many the one that
// has done so longest ago is forgotten.
func (u *unproven) learn(a netip.Addr, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	from := netaddr.SourceOf(a)
	if _, ok := u.known[from]; !ok && len(u.known) >= maxKnownSources {
		var oldest netip.Prefix
		for q, at := range u.known {
			if !oldest.IsValid() || at.Before(u.known[oldest]) {
				oldest = q
			}
		}
		delete(u.known, oldest)
	}
	u.known[from] = now
}

// isKnown reports whether a peer has proven itself at a source lately; u.mu is held.
func (u *unproven) isKnown(from netip.Prefix, now time.Time) bool {
	at, ok := u.known[from]
	return ok && now.Sub(at) < knownSourceLife
}

// suspects reports whether the next connection of an address must prove it first:
// the source has one open already, or half of the places are taken.
func (u *unproven) suspects(a netip.Addr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.of[netaddr.SourceOf(a)] > 0 || len(u.all) >= u.bounds.all/2
}

// remembers is isKnown for an address.
func (u *unproven) remembers(a netip.Addr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.isKnown(netaddr.SourceOf(a), time.Now())
}

// counts returns how many connections of strangers there are.
func (u *unproven) counts() (held, reserved, evicted int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.all), u.inReserve, u.evicted
}

// Strangers is what another link asks of the book of strangers on QUIC: who has proven
// itself by one link is known on the other.
type Strangers struct{ u *unproven }

// Remembers reports whether a peer has proven itself at a source lately.
func (s Strangers) Remembers(a netip.Addr) bool { return s.u.remembers(a) }

// More is how many places strangers have beside the peers that are connected from there.
func (s Strangers) More(a netip.Addr) int { return s.u.moreFrom(a) }

// Learn notes that a peer has proven itself.
func (s Strangers) Learn(a netip.Addr) { s.u.learn(a, time.Now()) }

// Connect counts an accepted connection of a peer, until gone is called.
func (s Strangers) Connect(a netip.Addr) (gone func()) { return s.u.connect(a) }
