package node

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/peercache"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// seekPace is how long a node that starts waits for a peer of which only its cache
// knows where it is, before it looks for the next one.
const seekPace = 100 * time.Millisecond

// startMemory reads what the node knew of its peers. docs/node.md 8.8.
func (n *node) startMemory(*config.Config) error {
	n.use.memory = peercache.Open(peercache.PathOf(n.o.ConfigPath), n.log)
	n.defers(n.use.memory.Close) // behind the sessions, which still tell it where peers are
	return nil
}

// startSeeking looks for the peers that nothing but the cache can find, beside what the
// node does.
func (n *node) startSeeking(c *config.Config) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { seek(ctx, c, n.use.manager, n.use.memory, n.log) })
	n.defers(func() {
		cancel()
		wg.Wait()
	})
}

// seek starts a session with each, one after the other, unless it may sleep: then what
// wants it wakes it. Sessions go on without it.
func seek(ctx context.Context, c *config.Config, m *session.Manager, known *peercache.Cache, log *slog.Logger) {
	hubs := c.Hubs()
	for i := range c.Peers {
		p := &c.Peers[i]
		if ctx.Err() != nil {
			return
		}
		if p.CanBeFound(hubs) || !staysAwake(p) || len(known.Addresses(p.DID)) == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, seekPace)
		if _, err := m.Establish(ctx, p.DID); err != nil {
			log.Debug("not yet where it was reached before", "peer", p.DID.Short(), "error", err)
		}
		cancel()
	}
}

// rules are what a config and the networks say of the peers in the cache.
type rules struct {
	peers finding
	hubs  bool // there are some
	nets  []*membership.Network
}

var _ peercache.Rules = rules{}

// Configured implements peercache.Rules. Members count from the start, though they are no
// peers before a hub was asked.
func (r rules) Configured(peer did.DID) bool {
	return r.peers.find(peer) != nil || slices.ContainsFunc(r.nets, func(n *membership.Network) bool { _, ok := n.View.Member(peer); return ok })
}

// Dialable implements peercache.Rules. Where a hub is to open the NATs of peers, nothing
// may be sent to them before it has (ADR-038), and at the start no hub is there yet.
func (r rules) Dialable(peer did.DID, at netip.AddrPort) bool {
	p := r.peers.find(peer)
	return p != nil && (p.Hub || !r.hubs) && transport.Dialable(at) == nil && !inside(p, at.Addr())
}

// inside reports whether an address lies in a prefix of a peer: what is sent there goes
// through the tunnel that it is to make.
func inside(p *config.Peer, at netip.Addr) bool {
	return slices.ContainsFunc(p.AllowedIPs, func(prefix netip.Prefix) bool {
		return prefix.Contains(at.WithZone(""))
	})
}
