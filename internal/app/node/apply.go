package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/session"
)

// addresses are the interface's: the DID's own first.
func (n *node) addresses(c *config.Config) []netip.Prefix {
	own := netip.PrefixFrom(n.id.DID().Addr(), 128)
	return append([]netip.Prefix{own}, c.Addresses...)
}

// reload applies the config file as it is now. Peers that did not change keep
// their sessions. A file that is wrong, or needs a new device or socket, changes
// nothing. A prefix whose packets go elsewhere, by a route that the kernel
// prefers, is named; the rest is applied. While a change waits to be confirmed nothing else is applied:
// undoing it must lead back to what was before.
func (n *node) reload(ctx context.Context) error {
	n.reloads.Lock()
	defer n.reloads.Unlock()
	if n.confirm.pending() {
		return errPending()
	}
	return n.load(ctx)
}

// load applies the file; the caller holds reloads.
func (n *node) load(context.Context) error {
	c, err := config.LoadTrusted(n.o.ConfigPath)
	if err != nil {
		return err
	}
	if err := c.CheckOwn(n.id.DID()); err != nil {
		return err
	}
	if err := sameBase(n.config.Load(), c); err != nil {
		return err
	}
	return n.apply(c)
}

// applyOnly applies a config that the caller has, whatever the file holds by now.
func (n *node) applyOnly(c *config.Config) error {
	n.reloads.Lock()
	defer n.reloads.Unlock()
	if n.confirm.pending() {
		return errPending()
	}
	if err := c.CheckOwn(n.id.DID()); err != nil {
		return err
	}
	return n.apply(c)
}

// withoutPeer is the config in use without one peer.
func (n *node) withoutPeer(d did.DID) *config.Config { return withoutPeer(n.config.Load(), d) }

// sameBase refuses changes that a running node cannot take.
func sameBase(old, c *config.Config) error {
	if key := old.NeedsRestart(c); key != "" {
		return fmt.Errorf("%s: %s has changed, which needs a restart: l2tun down, then l2tun up", c.Path, key)
	}
	return nil
}

// apply makes the peers those of c. In our own table it removes first, then adds,
// so that a prefix can move from one peer to another. In the kernel's it adds
// first: a prefix that stays, or moves, has a route at any time.
func (n *node) apply(c *config.Config) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.config.Load()
	if old == nil {
		old = &config.Config{Addresses: c.Addresses} // these came with the device
	}
	var errs []error
	errs = append(errs, n.applyAddresses(old.Addresses, c.Addresses), n.addRoutes(c))
	for _, p := range old.Peers {
		if now := find(c.Peers, p.DID); now == nil || renewed(p, *now) {
			errs = append(errs, n.removePeer(p, now != nil))
		} else {
			n.dropPrefixes(p, *now)
		}
	}
	host := n.host.Addresses()
	errs = append(errs, n.data.SetOwn(n.own(c, host)))
	for _, p := range c.Peers {
		errs = append(errs, n.applyPeer(p))
	}
	n.data.SetBeside(besides(host))
	errs = append(errs, n.removeRoutes(c))
	n.config.Store(c)
	n.discovery.Look() // for peers that are new
	return errors.Join(errs...)
}

func find(peers []config.Peer, d did.DID) *config.Peer {
	for i := range peers {
		if peers[i].DID == d {
			return &peers[i]
		}
	}
	return nil
}

// renewed reports whether a peer's session must start anew: what a session is
// made of is not changed under it.
func renewed(old, now config.Peer) bool {
	return old.Session != now.Session
}

// removePeer ends a peer's session; a renewed one starts again.
func (n *node) removePeer(p config.Peer, back bool) error {
	n.where.Delete(p.DID) // first: Establish would add again whom it can resolve
	err := n.manager.Remove(p.DID)
	if errors.Is(err, session.ErrUnknownPeer) {
		err = nil // it could not be added before
	}
	if !back {
		n.mtus.forget(p.DID)
	}
	return err
}

// dropPrefixes takes away what a peer that stays does not own any more.
func (n *node) dropPrefixes(old, now config.Peer) {
	for _, prefix := range old.AllowedIPs {
		if !slices.Contains(now.AllowedIPs, prefix) {
			n.data.Routes().Delete(prefix, n.plane(now.DID))
		}
	}
}

// applyPeer adds a peer, or brings one that is there up to date. Its routes are
// in place before its session can start.
func (n *node) applyPeer(p config.Peer) error {
	n.where.Set(p.DID, p.Endpoints...)
	s, err := n.manager.Session(p.DID)
	if errors.Is(err, session.ErrUnknownPeer) {
		s, err = n.manager.Add(session.Peer{DID: p.DID, Name: p.Name, Settings: p.Session, Keep: len(p.Endpoints) > 0})
	} else if err == nil { // a name is a label, and endpoints are for the next attempt
		err = s.Update(p.Name, len(p.Endpoints) > 0)
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, prefix := range p.AllowedIPs {
		errs = append(errs, n.data.Routes().Insert(prefix, s.Plane().(*datapath.Peer)))
	}
	return errors.Join(errs...)
}

func (n *node) plane(d did.DID) *datapath.Peer {
	s, err := n.manager.Session(d)
	if err != nil {
		return nil
	}
	return s.Plane().(*datapath.Peer)
}
