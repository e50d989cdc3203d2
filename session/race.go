package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// resolutionDelay is how long an endpoint waits for a name that precedes it
	// in the list (RFC 8305 section 3).
	resolutionDelay = 50 * time.Millisecond
	// dialStagger is the head start of a remote over the next one (RFC 8305
	// section 5: the connection attempt delay).
	dialStagger = 300 * time.Millisecond
	// tcpDelay is the head start of QUIC over μTCP.
	tcpDelay = time.Second
)

// errNoEndpoint: nobody has told where the peer is.
var errNoEndpoint = errors.New("session: no endpoint is known for the peer")

// An Obstacle is what keeps this host from even trying an endpoint. It is the
// error of that endpoint.
type Obstacle struct {
	Kind     ObstacleKind
	Endpoint string // as configured, or the address that a name led to
	err      error
}

// An ObstacleKind says what is in the way. Its text is that of status.
type ObstacleKind string

const (
	Unresolvable ObstacleKind = "unresolvable" // the name leads to no address
	NoRoute      ObstacleKind = "no_route"     // this host has no route to the address
	OwnAddress   ObstacleKind = "own_address"  // the endpoint is this node itself
)

func (o *Obstacle) Error() string { return fmt.Sprintf("endpoint %s: %v", o.Endpoint, o.err) }
func (o *Obstacle) Unwrap() error { return o.err }

// dialed is what a dial came to.
type dialed struct {
	conn  link.Conn
	err   error
	hello *hello // sent on conn already, or nil
}

// A race dials a peer's endpoints over all links side by side, as Happy Eyeballs
// does (RFC 8305). Names are resolved in parallel, and none holds up what follows
// it for more than resolutionDelay; each remote begins dialStagger after the one
// before. A remote that the host cannot reach, or that is this node itself, is
// passed over at once. A race belongs to the goroutine that reads results, which
// are closed once nothing is under way any more.
type race struct {
	network link.Network
	links   []wire.Link
	dial    func(ctx context.Context, l wire.Link, remote netip.AddrPort, after time.Duration) dialed
	results chan dialed

	wg sync.WaitGroup // names and dials under way

	mu    sync.Mutex
	seen  []netip.AddrPort
	turn  time.Time // the next remote does not begin before
	names int       // that are being resolved
	dials int       // since the start
}

// start begins with endpoints in the order of preference, and then known, where
// the peer was heard.
func (r *race) start(ctx context.Context, endpoints []string, known []netip.AddrPort) {
	r.results = make(chan dialed)
	patience := time.Now().Add(resolutionDelay)
	before := make(chan struct{}) // closed: whatever comes first in the list has had its turn
	close(before)
	r.names = len(endpoints)
	for _, e := range endpoints {
		prev, mine := before, make(chan struct{})
		before = mine
		r.wg.Go(func() {
			defer close(mine)
			found, err := r.network.Resolve(ctx, e)
			await(ctx, prev, time.Until(patience))
			if err != nil {
				r.resolved()
				r.results <- dialed{err: unresolved(ctx, e, err)}
				return
			}
			for _, remote := range found {
				r.add(ctx, remote)
			}
			r.resolved()
		})
	}
	r.wg.Go(func() {
		await(ctx, before, time.Until(patience))
		for _, remote := range known {
			r.add(ctx, remote)
		}
	})
	go func() { // ends with the last dial; whoever reads to the end has waited for it
		r.wg.Wait()
		close(r.results)
	}()
}

// unresolved is the error of a name; a race that is over says nothing about it.
func unresolved(ctx context.Context, endpoint string, err error) error {
	var dns *net.DNSError
	if context.Cause(ctx) == context.Canceled || !errors.As(err, &dns) {
		return err
	}
	return &Obstacle{Unresolvable, endpoint, err}
}

// add dials a remote, unless that is done already.
func (r *race) add(ctx context.Context, remote netip.AddrPort) {
	if !r.isNew(remote) {
		return
	}
	if o := r.obstacle(remote); o != nil {
		r.wg.Go(func() { r.results <- dialed{err: o} })
		return
	}
	after := r.wait()
	for _, l := range r.links {
		r.wg.Go(func() { r.results <- r.dial(ctx, l, remote, after) })
	}
}

func (r *race) isNew(remote netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !remote.IsValid() || slices.Contains(r.seen, remote) {
		return false
	}
	r.seen = append(r.seen, remote)
	return true
}

// wait takes the next turn and says how long it is until then.
func (r *race) wait() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dials += len(r.links)
	now := time.Now()
	at := latest(now, r.turn)
	r.turn = at.Add(dialStagger)
	return at.Sub(now)
}

func (r *race) resolved() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names--
}

// others reports whether more than one way is tried, or may be.
func (r *race) others() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names+r.dials > 1
}

// obstacle asks the network about a remote.
func (r *race) obstacle(remote netip.AddrPort) error {
	c, ok := r.network.(link.Checker)
	if !ok {
		return nil
	}
	switch err := c.Check(remote); {
	case errors.Is(err, link.ErrOwnAddress):
		return &Obstacle{OwnAddress, remote.String(), err}
	case errors.Is(err, link.ErrNoRoute):
		return &Obstacle{NoRoute, remote.String(), err}
	}
	return nil
}

// fresh dials a connection again that has ended before its turn came: an acceptor
// of TCP does not wait long for the first message (SPEC 3.6).
func (r *race) fresh(ctx context.Context, d dialed) dialed {
	if d.err == nil && d.hello == nil && d.conn.Link() == wire.LinkUTCP && closed(d.conn.Done()) {
		d.conn, d.err = r.network.Dial(ctx, d.conn.Link(), d.conn.Remote())
	}
	return d
}

// end closes what still comes, and waits until nothing is under way. The
// context of start has been cancelled.
func (r *race) end() {
	for d := range r.results {
		d.close("another connection answered first")
	}
}

// await waits for c, at most for d.
func await(ctx context.Context, c <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (d dialed) close(why string) {
	if d.hello != nil {
		d.hello.i.Close()
	}
	if d.conn != nil {
		d.conn.Close(why)
	}
}
