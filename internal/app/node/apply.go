package node

import (
	"errors"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/peercache"
	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/tun"
)

// An applier puts a config into use: addresses, routes and settings of the
// interface, sessions and prefixes of the peers. It owns which config is in use.
// The node sets the other fields once, in the order of its start.
type applier struct {
	log      *slog.Logger
	id       did.DID // of this node
	dev      *tun.Device
	journal  *routing.Journal  // of what is put into the kernel
	settings *routing.Settings // of the kernel that the node holds
	kernel   *routing.Kernel
	host     *routing.Watcher
	data     *datapath.Datapath
	manager  *session.Manager
	where    places           // endpoints of the peers, read by sessions
	memory   *peercache.Cache // of the peers, from one start to the next
	mtus     *routeMTUs
	covers   covers
	hub      *hub.Hub
	limits   limits

	networks *membership.Owner             // who else is a peer; nil in tests: nobody
	base     atomic.Pointer[config.Config] // the file's; nil before the first apply
	party    atomic.Pointer[party]         // members that are peers beside those of base
	config   atomic.Pointer[config.Config] // in use: base and the party; nil before the first apply
	mu       sync.Mutex                    // one apply at a time
	applied  []func()                      // called at the end of each apply, with mu held
}

// onApplied adds what is called at the end of each apply from now on; it must not block.
func (a *applier) onApplied(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = append(a.applied, f)
}

// apply makes the peers those of c. In our own table it removes first, then adds,
// so that a prefix can move from one peer to another. In the kernel's it adds
// first: a prefix that stays, or moves, has a route at any time.
func (a *applier) apply(c *config.Config) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.Settle()
	return a.use(c)
}

// put is apply of a config that may name other networks than the one in use.
func (a *applier) put(c *config.Config) error {
	return errors.Join(a.apply(c), a.networks.Configure(c.Networks))
}

// applyMembers brings members that have come, gone or changed into use.
func (a *applier) applyMembers() {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.base.Load()
	if c == nil {
		return // the first apply looks itself
	}
	err, taken := except(a.use(c), routing.ErrTaken)
	if err, _ := except(err, routing.ErrNoIPv6); err != nil || taken != nil {
		a.log.Warn("not all members of the networks are in use", "error", errors.Join(err, taken))
	}
}

// use makes the peers those of a config and the members of the networks. The caller holds
// mu.
func (a *applier) use(base *config.Config) error {
	old, before := a.config.Load(), a.party.Load()
	host := a.host.Addresses()
	var nets []*membership.Network
	if a.networks != nil {
		nets = a.networks.Networks()
	}
	c, party := merged(base, nets, a.id, host)
	a.party.Store(party) // sessions that begin now are asked about it
	if old == nil {
		old = &config.Config{Addresses: base.Addresses} // these came with the device
	}
	var errs []error
	errs = append(errs, a.applyAddresses(old.Addresses, c.Addresses), a.applyCovers(old, c), a.addRoutes(c))
	peers := byDID(c)
	for i := range old.Peers {
		p := &old.Peers[i]
		if now := peers.find(p.DID); now == nil || renewed(p, now) || (before.member(p.DID) == nil) != (party.member(p.DID) == nil) {
			errs = append(errs, a.removePeer(p, now != nil))
		} else {
			a.dropPrefixes(p, now)
		}
	}
	errs = append(errs, a.data.Owners().SetOwn(a.own(c, host)))
	a.data.SetHost(alone(a.addresses(c)), c.Routes)
	a.memory.Configure(rules{peers, len(c.Hubs()) > 0, nets})
	errs = append(errs, a.applyPeers(c))
	a.data.Owners().SetBeside(besides(host))
	errs = append(errs, a.removeRoutes(c))
	a.hub.Configure(c.Relay, c.RelayRate, c.RelayTotal)
	a.base.Store(base)
	a.config.Store(c)
	for _, f := range a.applied {
		f()
	}
	return errors.Join(errs...)
}

// renewed reports whether a peer's session must start anew: what a session is
// made of is not changed under it.
func renewed(old, now *config.Peer) bool {
	return old.Settings() != now.Settings()
}

// finding finds the peers of a config, of which there may be thousands: a map would take
// twenty times the memory.
type finding struct {
	peers []config.Peer
	order []int32 // by DID
}

func byDID(c *config.Config) finding {
	f := finding{c.Peers, make([]int32, len(c.Peers))}
	for i := range f.order {
		f.order[i] = int32(i)
	}
	slices.SortFunc(f.order, func(a, b int32) int { return f.peers[a].DID.Compare(f.peers[b].DID) })
	return f
}

// find is the peer of a DID; nil for none.
func (f finding) find(peer did.DID) *config.Peer {
	i, is := slices.BinarySearchFunc(f.order, peer, func(at int32, d did.DID) int { return f.peers[at].DID.Compare(d) })
	if !is {
		return nil
	}
	return &f.peers[f.order[i]]
}

// removePeer ends a peer's session; a renewed one starts again.
func (a *applier) removePeer(p *config.Peer, back bool) error {
	a.where.Delete(p.DID) // first: Establish would add again whom it can resolve
	err := a.manager.Remove(p.DID)
	if errors.Is(err, session.ErrUnknownPeer) {
		err = nil // it could not be added before
	}
	if !back {
		a.mtus.forget(p.DID)
	}
	return err
}

// dropPrefixes takes away what a peer that stays does not own any more.
func (a *applier) dropPrefixes(old, now *config.Peer) {
	for _, prefix := range old.AllowedIPs {
		if !slices.Contains(now.AllowedIPs, prefix) {
			a.data.Owners().Routes().Delete(prefix, a.plane(now.DID))
		}
	}
}

// applyPeers adds peers, and brings those that are there up to date. Their limits and
// routes are in place before their sessions can start.
func (a *applier) applyPeers(c *config.Config) error {
	var errs []error
	all := make([]*session.Session, len(c.Peers)) // nil: it could not be added
	isNew := make([]bool, len(c.Peers))
	for i := range c.Peers {
		s, fresh, err := a.sessionOf(&c.Peers[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[i], isNew[i] = s, fresh
	}
	a.limits.put(c, a.party.Load(), all)
	errs = append(errs, a.data.Owners().Routes().InsertAll(owners(c, all)))
	hubs := c.Hubs()
	for i, s := range all {
		p := &c.Peers[i]
		if find := a.party.Load().sought(p, hubs); s != nil && (find || !isNew[i]) { // a name is a label, and endpoints are for the next attempt
			if err := s.Update(p.Name, find, p.Hub, staysAwake(p)); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// sessionOf is the one with a peer. One that is new rests: Update lets it look for the
// peer.
func (a *applier) sessionOf(p *config.Peer) (s *session.Session, fresh bool, err error) {
	if len(p.Endpoints) > 0 {
		a.where.Set(p.DID, p.Endpoints...)
	} else {
		a.where.Delete(p.DID)
	}
	s, err = a.manager.Session(p.DID)
	if !errors.Is(err, session.ErrUnknownPeer) {
		return s, false, err
	}
	s, err = a.manager.Add(session.Peer{DID: p.DID, Name: p.Name, Settings: p.Settings(), Hub: p.Hub, Awake: staysAwake(p), Member: a.party.Load().member(p.DID) != nil})
	return s, true, err
}

// owners ranges over the prefixes of peers and the planes of their sessions, of which
// some may be nil.
func owners(c *config.Config, all []*session.Session) iter.Seq2[netip.Prefix, *datapath.Peer] {
	return func(yield func(netip.Prefix, *datapath.Peer) bool) {
		for i, s := range all {
			if s == nil {
				continue
			}
			for _, prefix := range c.Peers[i].AllowedIPs {
				if !yield(prefix, s.Plane().(*datapath.Peer)) {
					return
				}
			}
		}
	}
}

// staysAwake reports whether the session with a peer never sleeps. In the config of a
// peer an idle_after of 0 says so; to a session it would mean the default.
func staysAwake(p *config.Peer) bool { return p.Keep || p.Settings().IdleAfter == 0 }

// sprays reports whether the node takes part in sprays. Sessions ask from their first pass
// on, which is before the end of the first apply.
func (a *applier) sprays() bool {
	c := a.config.Load()
	return c != nil && c.Spray
}

// endpoints are those that the config says this node is reached at.
func (a *applier) endpoints() []netip.AddrPort {
	if c := a.config.Load(); c != nil {
		return c.ReachedAt
	}
	return nil
}

// configured reports whether a peer has a session.
func (a *applier) configured(d did.DID) bool {
	_, err := a.manager.Session(d)
	return err == nil
}

// static reports whether a DID is a peer of the config.
func (a *applier) static(d did.DID) bool {
	c := a.base.Load()
	return c != nil && c.Peer(d) != nil
}

func (a *applier) plane(d did.DID) *datapath.Peer {
	s, err := a.manager.Session(d)
	if err != nil {
		return nil
	}
	return s.Plane().(*datapath.Peer)
}
