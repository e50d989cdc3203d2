package node

import (
	"errors"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
)

// routes are those of all peers of a config.
func (n *node) routes(c *config.Config) (all []routing.Route) {
	mtu := n.dev.MTU()
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			all = append(all, routing.Route{Prefix: prefix, MTU: n.mtus.of(p.DID, mtu)})
		}
	}
	return all
}

// addRoutes leaves out IPv6 where the host has none: status says so.
func (n *node) addRoutes(c *config.Config) error {
	err, _ := except(n.kernel.AddAll(n.routes(c)), routing.ErrNoIPv6)
	return err
}

// removeRoutes takes out what no peer of c owns.
func (n *node) removeRoutes(c *config.Config) error {
	owned := make(map[netip.Prefix]bool)
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			owned[prefix] = true
		}
	}
	var errs []error
	for _, r := range n.kernel.Wanted() {
		if !owned[r.Prefix] {
			errs = append(errs, n.kernel.Remove(r.Prefix))
		}
	}
	return errors.Join(errs...)
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
