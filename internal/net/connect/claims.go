package connect

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// Bounds on what one configured peer, or whoever claims to be it, can cost by
// handshakes that we answer (SPEC 6.5).
const (
	openPerClaim   = 2 // unproven handshakes of one claim at once; the oldest gives way
	claimRate      = 1 // answers a second to one claim on connections that are not proven
	claimBurst     = 8
	ownHandshakes  = 5 // handshakes a second that a peer begins on its own connections
	ownBurst       = 5
	firstMessageIn = 4 * time.Second // for the whole first message of a connection
)

// claimed counts the handshakes that we answer by the peer that they claim to come
// from. Who claims a peer from another source than the one at which it last proved
// itself has places and a bucket of his own: nobody locks a peer out by its name.
type claimed struct {
	mu sync.Mutex
	of map[did.DID]*claims // of configured peers
}

// claims are those of one peer.
type claims struct {
	home, away claim
	at         netip.Prefix  // where the peer last proved itself
	own        *rate.Limiter // handshakes on connections that are proven
}

type claim struct {
	open  []*answer // oldest first
	fresh *rate.Limiter
}

// An answer is one handshake between the claim and its proof.
type answer struct {
	of   *claim
	stop func()
}

func newClaimed() *claimed { return &claimed{of: make(map[did.DID]*claims)} }

// claims are a peer's; a.mu is held.
func (a *claimed) claims(peer did.DID) *claims {
	c := a.of[peer]
	if c == nil {
		c = &claims{own: rate.NewLimiter(ownHandshakes, ownBurst)}
		c.home.fresh, c.away.fresh = rate.NewLimiter(claimRate, claimBurst), rate.NewLimiter(claimRate, claimBurst)
		a.of[peer] = c
	}
	return c
}

// begin counts a handshake that claims to be a peer's, on a connection that is its
// own already or not. Stop is called when a newer one takes its place. False: the
// claim has had its share for now.
func (a *claimed) begin(peer did.DID, from netip.Addr, own bool, stop func(), now time.Time) (*answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.claims(peer)
	of := &c.away
	if c.at == netaddr.SourceOf(from) {
		of = &c.home
	}
	if !own && !of.fresh.AllowN(now, 1) {
		return nil, false
	}
	if len(of.open) >= openPerClaim {
		of.open[0].stop()
		of.open = of.open[1:]
	}
	x := &answer{of, stop}
	of.open = append(of.open, x)
	return x, true
}

// end takes a handshake off the books. Proven: its peer is at from.
func (a *claimed) end(x *answer, peer did.DID, from netip.Addr, proven bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, y := range x.of.open {
		if x == y {
			x.of.open = append(x.of.open[:i:i], x.of.open[i+1:]...)
			break
		}
	}
	if c := a.of[peer]; proven && c != nil {
		c.at = netaddr.SourceOf(from)
	}
}

// wait lets a handshake that a peer begins on its own connection wait for its turn.
// The streams behind it wait as well: it is the peer's own time.
func (a *claimed) wait(ctx context.Context, peer did.DID) error {
	a.mu.Lock()
	l := a.claims(peer).own
	a.mu.Unlock()
	return l.Wait(ctx)
}

// forget drops a peer that is not configured any more.
func (a *claimed) forget(peer did.DID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.of, peer)
}

// A loneStream watches that a stranger opens no second stream: it needs one until
// its handshake is answered.
type loneStream struct {
	cancel context.CancelFunc
	second chan bool
}

func watchLone(ctx context.Context, conn link.Conn) *loneStream {
	ctx, cancel := context.WithCancel(ctx)
	l := &loneStream{cancel, make(chan bool, 1)}
	go func() { // ends with end, or with the connection
		st, err := conn.AcceptStream(ctx)
		if err == nil {
			st.Close()
			conn.Close("one stream until the handshake is answered")
		}
		l.second <- err == nil
	}()
	return l
}

// end ends the watch; streams are the caller's to accept again. It reports false
// when there was a second one. Further calls do nothing.
func (l *loneStream) end() bool {
	if l == nil || l.second == nil {
		return true
	}
	l.cancel()
	second := <-l.second
	l.second = nil
	return !second
}
