package dial

import (
	"context"
	"iter"
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
	// attemptDelay is the head start of a remote over the next one (RFC 8305
	// section 5).
	attemptDelay = 300 * time.Millisecond
	// tcpDelay is the head start of QUIC over μTCP.
	tcpDelay = time.Second
)

// Dialed is what a dial came to.
type Dialed struct {
	Conn  link.Conn
	Err   error
	Begun Begun // what the dial has begun on Conn already; nil: nothing
}

// Begun is what has to be ended when a connection is not used.
type Begun interface{ Close() }

// Close gives the connection up, if there is one.
func (d Dialed) Close(why string) {
	if d.Begun != nil {
		d.Begun.Close()
	}
	if d.Conn != nil {
		d.Conn.Close(why)
	}
}

// A Race dials a peer's endpoints over all links side by side, as Happy Eyeballs
// does. Names are resolved in parallel, and none holds up what follows it for more
// than resolutionDelay; each remote begins attemptDelay after the one before. A
// remote that the host cannot reach, or that is this node itself, is passed over at
// once. Use it once.
type Race struct {
	Network link.Network
	Links   []wire.Link // over which each remote is dialled; μTCP beside QUIC tcpDelay later
	// Dial dials a remote; nil: Network.Dial.
	Dial func(ctx context.Context, l wire.Link, remote netip.AddrPort) Dialed
	// Hurry is closed when μTCP is to be dialled without its delay; nil: never.
	Hurry <-chan struct{}
	// Found is told what an endpoint has led to, before that is dialled; nil: nobody is.
	// Several may be told at the same time.
	Found func(remotes []netip.AddrPort)
	// More are remotes that become known while the race runs, and Met dials each over
	// QUIC at once: a meeting has opened them, or they are circuits. The race lasts as
	// long as its context then; nil: there are none.
	More <-chan netip.AddrPort
	Met  func(ctx context.Context, remote netip.AddrPort) Dialed

	results chan Dialed
	wg      sync.WaitGroup // names and dials under way

	mu    sync.Mutex
	seen  []netip.AddrPort
	turn  time.Time // the next remote does not begin before
	names int       // that are being resolved
	dials int       // since the start
}

// Connections dials endpoints (HOST:PORT) in the order of preference, and then
// known, where the peer was heard. It yields what the dials come to, one at a time
// as they come, failures among them. Ending the loop gives up what is under way and
// closes what still comes.
func (r *Race) Connections(ctx context.Context, endpoints []string, known []netip.AddrPort) iter.Seq[Dialed] {
	return func(yield func(Dialed) bool) {
		ctx, cancel := context.WithCancel(ctx)
		r.start(ctx, endpoints, known)
		defer r.end()
		defer cancel()
		for d := range r.results {
			if !yield(r.fresh(ctx, d)) {
				return
			}
		}
	}
}

// start begins to resolve and to dial.
func (r *Race) start(ctx context.Context, endpoints []string, known []netip.AddrPort) {
	r.results = make(chan Dialed)
	patience := time.Now().Add(resolutionDelay)
	before := make(chan struct{}) // closed: whatever comes first in the list has had its turn
	close(before)
	r.names = len(endpoints)
	for _, e := range endpoints {
		prev, mine := before, make(chan struct{})
		before = mine
		r.wg.Go(func() {
			defer close(mine)
			r.name(ctx, e, prev, patience)
		})
	}
	r.wg.Go(func() {
		await(ctx, before, time.Until(patience))
		for _, remote := range known {
			r.add(ctx, remote)
		}
	})
	if r.More != nil {
		r.wg.Go(func() { r.follow(ctx) })
	}
	go func() { // ends with the last dial; end has waited for it
		r.wg.Wait()
		close(r.results)
	}()
}

// follow dials what becomes known.
func (r *Race) follow(ctx context.Context) {
	for {
		select {
		case remote := <-r.More:
			if r.isNew(remote) {
				r.wait(1)
				r.wg.Go(func() { r.results <- r.Met(ctx, remote) })
			}
		case <-ctx.Done():
			return
		}
	}
}

// name resolves an endpoint and dials what it leads to, behind what precedes it.
func (r *Race) name(ctx context.Context, endpoint string, prev <-chan struct{}, patience time.Time) {
	found, err := r.Network.Resolve(ctx, endpoint)
	await(ctx, prev, time.Until(patience))
	if err != nil {
		r.resolved()
		r.results <- Dialed{Err: unresolved(ctx, endpoint, err)}
		return
	}
	if r.Found != nil {
		r.Found(found)
	}
	for _, remote := range found {
		r.add(ctx, remote)
	}
	r.resolved()
}

// add dials a remote, unless that is done already.
func (r *Race) add(ctx context.Context, remote netip.AddrPort) {
	if !r.isNew(remote) {
		return
	}
	if o := obstacle(r.Network, remote); o != nil {
		r.wg.Go(func() { r.results <- Dialed{Err: o} })
		return
	}
	after := r.wait(len(r.Links))
	for _, l := range r.Links {
		r.wg.Go(func() { r.results <- r.dial(ctx, l, remote, after) })
	}
}

// dial waits for its turn and dials.
func (r *Race) dial(ctx context.Context, l wire.Link, remote netip.AddrPort, after time.Duration) Dialed {
	var now <-chan struct{} // nil: never
	if l == wire.LinkUTCP && len(r.Links) > 1 {
		after += tcpDelay
		now = r.Hurry
	}
	await(ctx, now, after)
	switch {
	case ctx.Err() != nil:
		return Dialed{Err: ctx.Err()}
	case r.Dial != nil:
		return r.Dial(ctx, l, remote)
	}
	conn, err := r.Network.Dial(ctx, l, remote)
	return Dialed{Conn: conn, Err: err}
}

func (r *Race) isNew(remote netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !remote.IsValid() || slices.Contains(r.seen, remote) {
		return false
	}
	r.seen = append(r.seen, remote)
	return true
}

// wait takes the next turn, for so many dials, and says how long it is until then.
func (r *Race) wait(dials int) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dials += dials
	now := time.Now()
	at := now
	if r.turn.After(now) {
		at = r.turn
	}
	r.turn = at.Add(attemptDelay)
	return at.Sub(now)
}

func (r *Race) resolved() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names--
}

// Others reports whether more than one way is tried, or may be.
func (r *Race) Others() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names+r.dials > 1
}

// Remotes is how many addresses were found, the unreachable ones among them.
func (r *Race) Remotes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// fresh dials a connection again that has ended before its turn came: an acceptor
// of TCP does not wait long for the first message (SPEC 3.6).
func (r *Race) fresh(ctx context.Context, d Dialed) Dialed {
	if d.Err != nil || d.Begun != nil || d.Conn.Link() != wire.LinkUTCP {
		return d
	}
	select {
	case <-d.Conn.Done():
		d.Conn, d.Err = r.Network.Dial(ctx, d.Conn.Link(), d.Conn.Remote())
	default:
	}
	return d
}

// end closes what still comes, and waits until nothing is under way.
func (r *Race) end() {
	for d := range r.results {
		d.Close("another connection answered first")
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
