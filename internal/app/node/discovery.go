package node

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
	"github.com/libertaria-project/l2tun/transport/discovery"
)

const (
	// foundQueue is how much of what is found may wait; more is found again later.
	foundQueue = 64
	// foundGap is the least time between two handshakes that findings start with
	// one peer.
	foundGap = 2 * time.Second
	// foundWait is how long a goroutine waits with the session that it started.
	foundWait = time.Second
)

// places is where peers are: what the config says, then what discovery found.
type places struct {
	did.Static
	found discovery.Table
}

// Resolve implements did.Resolver. Who is not configured is nowhere.
func (p *places) Resolve(ctx context.Context, d did.DID) (did.Document, error) {
	doc, err := p.Static.Resolve(ctx, d)
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

// startDiscovery looks for peers on the LAN, by the methods of the config; by
// none, nothing is started. A host where it cannot work is no reason not to run.
func (n *node) startDiscovery(c *config.Config) error {
	if len(c.Discovery) == 0 {
		return nil
	}
	f := &finder{n: n, found: make(chan discovery.Found, foundQueue), tried: make(map[did.DID]time.Time)}
	d, err := discovery.Start(discovery.Config{
		Self:       n.id.DID(),
		Listen:     n.net.LocalAddr(),
		Methods:    methods(c.Discovery),
		Mark:       c.Mark.Value,
		Peers:      n.lookedFor,
		Found:      f.put,
		Interfaces: n.lans,
		Logger:     n.log,
	})
	if err != nil {
		n.log.Warn("LAN discovery does not run", "error", err)
		return nil
	}
	n.discovery = d
	ctx, cancel := context.WithCancel(context.Background())
	f.wg.Go(func() { f.run(ctx) })
	f.wg.Go(func() { f.follow(ctx) })
	n.defers(func() {
		d.Close() // first: then nothing is found any more
		cancel()
		f.wg.Wait()
	})
	return nil
}

func methods(of []config.Method) (out []discovery.Method) {
	for _, m := range of {
		out = append(out, discovery.Method(m))
	}
	return out
}

// lans are the host's interfaces that lead to a LAN, our own left out. A port's
// network is its bridge's.
func (n *node) lans() (out []discovery.Interface, err error) {
	all, err := routing.Interfaces()
	for i := range all {
		if x := &all[i]; x.Index != n.dev.Index() && x.Running && !x.Port && discovery.Usable(x.Flags) {
			out = append(out, discovery.Interface{Index: x.Index, Addrs: x.Addresses})
		}
	}
	return out, err
}

// lookedFor are the configured peers; those without a session are wanted.
func (n *node) lookedFor() (out []discovery.Peer) {
	for _, s := range n.manager.Sessions() {
		out = append(out, discovery.Peer{DID: s.DID(), Wanted: !up(s)})
	}
	return out
}

func up(s *session.Session) bool {
	st := s.State()
	return st == session.Established || st == session.Rotating
}

// A finder turns what is found into endpoints and attempts. Its loop owns tried.
type finder struct {
	n     *node
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
	for w := f.n.manager.Watch(); ; {
		if _, _, err := w.Next(ctx); err != nil {
			return
		}
		f.n.discovery.Look()
	}
}

// take keeps an endpoint for the handshakes to come and starts one with a peer
// that has no session.
func (f *finder) take(ctx context.Context, x discovery.Found, now time.Time) {
	if err := transport.Dialable(x.Endpoint); err != nil {
		f.n.log.Debug("endpoint refused", "peer", x.Peer.Short(), "error", err)
		return
	}
	if f.n.inside(x) {
		f.n.log.Debug("endpoint refused: the tunnel would carry itself", "peer", x.Peer.Short(), "endpoint", x.Endpoint.String())
		return
	}
	if f.n.where.found.Add(x, now) {
		f.n.log.Debug("peer found on the LAN", "peer", x.Peer.Short(), "endpoint", x.Endpoint.String())
	}
	s, err := f.n.manager.Session(x.Peer)
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
	if _, err := f.n.manager.Establish(ctx, peer); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		f.n.log.Debug("found, but not established", "peer", peer.Short(), "error", err)
	}
}

// inside reports whether an endpoint lies in a prefix of its own peer.
func (n *node) inside(x discovery.Found) bool {
	p := find(n.config.Load().Peers, x.Peer)
	return p != nil && slices.ContainsFunc(p.AllowedIPs, func(prefix netip.Prefix) bool {
		return prefix.Contains(x.Endpoint.Addr().WithZone(""))
	})
}
