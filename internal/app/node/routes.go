package node

import (
	"errors"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
)

// routes are those of all peers of a config.
func (a *applier) routes(c *config.Config) (all []routing.Route) {
	mtu := a.dev.MTU()
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			all = append(all, routing.Route{Prefix: prefix, MTU: a.mtus.of(p.DID, mtu)})
		}
	}
	return all
}

// addRoutes leaves out IPv6 where the host has none: status says so.
func (a *applier) addRoutes(c *config.Config) error {
	err, _ := except(a.kernel.AddAll(a.routes(c)), routing.ErrNoIPv6)
	return err
}

// removeRoutes takes out what no peer of c owns.
func (a *applier) removeRoutes(c *config.Config) error {
	owned := make(map[netip.Prefix]bool)
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			owned[prefix] = true
		}
	}
	var errs []error
	for _, r := range a.kernel.Wanted() {
		if !owned[r.Prefix] {
			errs = append(errs, a.kernel.Remove(r.Prefix))
		}
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
	if err, _ := except(a.kernel.SetMTUs(a.routes(c)), routing.ErrNoIPv6); err != nil {
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
