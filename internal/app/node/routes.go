package node

import (
	"errors"
	"iter"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
)

// prefixesOf ranges over the prefixes of all peers of a config, and their owners.
func prefixesOf(c *config.Config) iter.Seq2[netip.Prefix, did.DID] {
	return func(yield func(netip.Prefix, did.DID) bool) {
		for i := range c.Peers {
			for _, prefix := range c.Peers[i].AllowedIPs {
				if !yield(prefix, c.Peers[i].DID) {
					return
				}
			}
		}
	}
}

// routes are those that a config needs: of the networks, and of each prefix that they
// do not cover or whose path takes something else than their routes say.
func (a *applier) routes(c *config.Config) (all []routing.Route) {
	device := a.dev.MTU()
	networks := make(map[netip.Prefix]int, len(a.covers.networks))
	for _, n := range a.covers.networks {
		networks[n] = 0
	}
	for prefix, owner := range prefixesOf(c) {
		if _, is := networks[prefix]; is { // the peer owns all of it
			networks[prefix] = a.mtus.of(owner, device)
		}
	}
	for n, mtu := range networks {
		all = append(all, routing.Route{Prefix: n, MTU: mtu})
	}
	for prefix, owner := range prefixesOf(c) {
		mtu := a.mtus.of(owner, device)
		_, is := networks[prefix]
		if n, covered := a.covers.of(prefix); !is && (!covered || mtu != networks[n]) {
			all = append(all, routing.Route{Prefix: prefix, MTU: mtu})
		}
	}
	return all
}

// addRoutes leaves out IPv6 where the host has none: status says so.
func (a *applier) addRoutes(c *config.Config) error {
	err, _ := except(a.kernel.AddAll(a.routes(c)), routing.ErrNoIPv6)
	return err
}

// applyCovers puts the routes of the networks, and finds the addresses that they do not
// cover. What is exposed once stays so until its peer goes. The kernel is asked about
// addresses that were not there before.
func (a *applier) applyCovers(old, c *config.Config) (err error) {
	before := a.covers.networks
	a.covers.networks = nil
	for _, n := range coverable(c) {
		switch e := a.kernel.Cover(n); {
		case errors.Is(e, routing.ErrTaken): // its addresses have routes of their own
			a.log.Info("another interface has this network: its peers get a route each", "network", n.String(), "reason", e)
		default:
			a.covers.networks = append(a.covers.networks, n)
			rest, _ := except(e, routing.ErrNoIPv6)
			err = errors.Join(err, rest)
		}
	}
	exposed := make(map[netip.Prefix]bool)
	for p := range prefixesOf(c) {
		if a.covers.exposed[p] {
			exposed[p] = true
		}
	}
	a.covers.exposed = exposed
	if !slices.Equal(before, a.covers.networks) {
		old = new(config.Config)
	}
	a.expose(slices.Collect(a.covers.unknown(old, c)))
	return err
}

// expose notes those of covered addresses that are not covered any more, and returns
// them.
func (a *applier) expose(addrs []netip.Prefix) []netip.Prefix {
	if !a.dev.IsUp() { // it has no routes
		return nil
	}
	found, err := a.kernel.Elsewhere(addrs)
	if err != nil {
		a.log.Warn("not known of all addresses of peers whether they are reached by another interface", "error", err)
	}
	for _, p := range found {
		a.covers.exposed[p] = true
	}
	return found
}

// checkCovers gives addresses a route of their own again after routes of others have
// changed, which may be more specific than those of the networks.
func (a *applier) checkCovers() {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.config.Load()
	if c == nil {
		return
	}
	all := slices.Collect(a.covers.unknown(new(config.Config), c))
	if len(a.expose(all)) == 0 {
		return
	}
	err, taken := except(a.addRoutes(c), routing.ErrTaken)
	if err != nil || taken != nil {
		a.log.Warn("not all peers have their route", "error", errors.Join(err, taken))
	}
}

// removeRoutes takes out what c does not need. An address that falls back on the route
// of its network may turn out not to be covered by it.
func (a *applier) removeRoutes(c *config.Config) error {
	needed, owned := make(map[netip.Prefix]bool), make(map[netip.Prefix]bool)
	for _, r := range a.routes(c) {
		needed[r.Prefix] = true
	}
	for p := range prefixesOf(c) {
		owned[p] = true
	}
	var errs []error
	var fallen []netip.Prefix
	for _, r := range a.kernel.Wanted() {
		if needed[r.Prefix] {
			continue
		}
		errs = append(errs, a.kernel.Remove(r.Prefix))
		if owned[r.Prefix] {
			fallen = append(fallen, r.Prefix)
		}
	}
	if len(a.expose(fallen)) > 0 {
		errs = append(errs, a.addRoutes(c))
	}
	return errors.Join(errs...)
}

// applyMTUs brings the peers' routes up to date.
func (a *applier) applyMTUs() {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.config.Load()
	if c == nil {
		return
	}
	wanted := make(map[netip.Prefix]bool)
	for _, r := range a.kernel.Wanted() {
		wanted[r.Prefix] = true
	}
	all := a.routes(c)
	err := a.kernel.SetMTUs(all)
	fresh := slices.DeleteFunc(slices.Clone(all), func(r routing.Route) bool { return wanted[r.Prefix] })
	if len(fresh) > 0 {
		err = errors.Join(err, a.kernel.AddAll(fresh))
	}
	if len(all)-len(fresh) < len(wanted) {
		err = errors.Join(err, a.removeRoutes(c))
	}
	if err, _ := except(err, routing.ErrNoIPv6); err != nil {
		a.log.Warn("not all routes have the MTU of their path", "error", err)
	}
}

// except takes errors that are some target out of a joined one.
func except(err error, targets ...error) (rest, taken error) {
	if err == nil {
		return nil, nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && !hasText(err, joined.Unwrap()) {
		var rests, takens []error
		for _, e := range joined.Unwrap() {
			r, t := except(e, targets...)
			rests, takens = append(rests, r), append(takens, t)
		}
		return errors.Join(rests...), errors.Join(takens...)
	}
	for _, t := range targets {
		if errors.Is(err, t) {
			return nil, err
		}
	}
	return err, nil
}

// hasText tells an error of fmt.Errorf with several %w, whose sentence belongs
// together, from one of errors.Join.
func hasText(err error, parts []error) bool { return err.Error() != errors.Join(parts...).Error() }
