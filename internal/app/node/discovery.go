package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
	"github.com/libertaria-project/l2tun/transport/discovery"
)

const (
	// foundQueue bounds the queue of findings; what does not fit is found again later.
	foundQueue = 64
	// foundGap is the minimum interval between two handshakes with one peer that
	// findings start.
	foundGap = 2 * time.Second
	// foundWait is how long a goroutine waits with the session that it started.
	foundWait = time.Second
)

// places are the endpoints of peers: those of the config, then those that discovery
// found. Most of thousands of peers have none.
type places struct {
	did.Static // those of the config that have any
	found      discovery.Table
	known      func(did.DID) bool // whether there is a session with a peer; nil: none that has no endpoint
}

// Resolve implements did.Resolver. A node that is not configured has no endpoint.
func (p *places) Resolve(ctx context.Context, d did.DID) (did.Document, error) {
	doc, err := p.Static.Resolve(ctx, d)
	if errors.Is(err, did.ErrUnknown) && p.known != nil && p.known(d) {
		doc, err = did.Document{DID: d}, nil
	}
	if err != nil {
		return doc, err
	}
	for _, at := range p.found.Endpoints(d, time.Now()) {
		if s := at.String(); !slices.Contains(doc.Endpoints, s) {
			doc.Endpoints = append(doc.Endpoints, s)
		}
	}
	return doc, nil
}

// startFinder looks for peers on the LAN, by the methods of the config; by none,
// nothing is started and nil is returned. A host where it cannot work is no reason
// not to run.
func startFinder(c *config.Config, use *applier, listen netip.AddrPort, log *slog.Logger) *finder {
	if len(c.Discovery) == 0 {
		return nil
	}
	f := &finder{use: use, log: log, found: make(chan discovery.Found, foundQueue), tried: make(map[did.DID]time.Time)}
	d, err := discovery.Start(discovery.Config{
		Self:       use.id,
		Listen:     listen,
		Methods:    methods(c.Discovery),
		Mark:       c.Mark.Value,
		Peers:      f.lookedFor,
		Found:      f.put,
		Interfaces: f.lans,
		Logger:     log,
	})
	if err != nil {
		log.Warn("LAN discovery does not run", "error", err)
		return nil
	}
	f.discovery = d
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.wg.Go(func() { f.run(ctx) })
	f.wg.Go(func() { f.follow(ctx) })
	use.onApplied(func() { // for peers that are new
		f.stale.Store(true)
		d.Look()
	})
	return f
}

// close ends discovery first: then nothing is found any more.
func (f *finder) close() {
	f.discovery.Close()
	f.cancel()
	f.wg.Wait()
}

// changed has discovery look at the interfaces again; f may be nil.
func (f *finder) changed() {
	if f != nil {
		f.discovery.Changed()
	}
}

func methods(of []config.Method) (out []discovery.Method) {
	for _, m := range of {
		out = append(out, discovery.Method(m))
	}
	return out
}

// lans are the host's interfaces that lead to a LAN, our own left out. A port's
// network is its bridge's.
func (f *finder) lans() (out []discovery.Interface, err error) {
	all, err := routing.Interfaces()
	for i := range all {
		if x := &all[i]; x.Index != f.use.dev.Index() && x.Running && !x.Port && discovery.Usable(x.Flags) {
			out = append(out, discovery.Interface{Index: x.Index, Addrs: x.Addresses})
		}
	}
	return out, err
}

// lookedFor ranges over the configured peers; those without a session are wanted. Only
// discovery's goroutine calls it, about once a second at times: sessions come and go with
// an apply, so they are not listed and sorted each time.
func (f *finder) lookedFor(yield func(discovery.Peer) bool) {
	if f.stale.Swap(false) || f.all == nil {
		f.all = f.use.manager.Sessions()
	}
	for _, s := range f.all {
		if !yield(discovery.Peer{DID: s.DID(), Wanted: !up(s)}) {
			return
		}
	}
}

func up(s *session.Session) bool {
	st := s.State()
	return st == session.Established || st == session.Rotating
}

// A finder turns what is found into endpoints and attempts. Its loop owns tried, and
// discovery's owns all.
type finder struct {
	use       *applier
	log       *slog.Logger
	discovery *discovery.Discovery
	cancel    context.CancelFunc

	stale atomic.Bool        // sessions have come or gone since
	all   []*session.Session // see lookedFor

	found chan discovery.Found
	tried map[did.DID]time.Time // when a handshake was last started
	wg    sync.WaitGroup        // the loop and those that wait for sessions
}

// put is discovery.Config.Found.
func (f *finder) put(x discovery.Found) {
	select {
	case f.found <- x:
	default:
	}
}

func (f *finder) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-f.found:
			f.take(ctx, x, time.Now())
		}
	}
}

// follow has discovery look whenever a session has changed its state: that is
// when a peer begins or ceases to be wanted.
func (f *finder) follow(ctx context.Context) {
	for w := f.use.manager.Watch(); ; {
		if _, _, err := w.Next(ctx); err != nil {
			return
		}
		f.discovery.Look()
	}
}

// take keeps an endpoint for the handshakes to come and starts one with a peer
// that has no session.
func (f *finder) take(ctx context.Context, x discovery.Found, now time.Time) {
	if err := transport.Dialable(x.Endpoint); err != nil {
		f.log.Debug("endpoint refused", "peer", x.Peer.Short(), "error", err)
		return
	}
	if f.inside(x) {
		f.log.Debug("endpoint refused: the tunnel would carry itself", "peer", x.Peer.Short(), "endpoint", x.Endpoint.String())
		return
	}
	if f.use.where.found.Add(x, now) {
		f.log.Debug("peer found on the LAN", "peer", x.Peer.Short(), "endpoint", x.Endpoint.String())
	}
	s, err := f.use.manager.Session(x.Peer)
	if err != nil {
		delete(f.tried, x.Peer)
		return
	}
	if up(s) || now.Sub(f.tried[x.Peer]) < foundGap {
		return
	}
	f.tried[x.Peer] = now
	f.wg.Go(func() { f.establish(ctx, x.Peer) })
}

// establish starts a session, which goes on without us.
func (f *finder) establish(ctx context.Context, peer did.DID) {
	ctx, cancel := context.WithTimeout(ctx, foundWait)
	defer cancel()
	if _, err := f.use.manager.Establish(ctx, peer); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		f.log.Debug("found, but not established", "peer", peer.Short(), "error", err)
	}
}

// inside reports whether an endpoint lies in a prefix of its own peer.
func (f *finder) inside(x discovery.Found) bool {
	p := f.use.config.Load().Peer(x.Peer)
	return p != nil && inside(p, x.Endpoint.Addr())
}
