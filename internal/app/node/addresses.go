package node

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/tun"
)

// addresses are the interface's: the DID's own first.
func (a *applier) addresses(c *config.Config) []netip.Prefix {
	own := netip.PrefixFrom(a.id.Addr(), 128)
	return append([]netip.Prefix{own}, c.Addresses...)
}

// applyAddresses brings the device's addresses up to date; the DID's own stays.
// The new ones come first, and a route that stands for an address's connected one
// is made to outlive it: no prefix is without a route in between.
func (a *applier) applyAddresses(before, now []netip.Prefix) error {
	var errs []error
	for _, p := range without(now, before) {
		errs = append(errs, a.addAddress(p))
	}
	for _, p := range without(before, now) {
		if err := errors.Join(a.kernel.Release(p.Masked()), a.dev.RemoveAddress(p)); err != nil {
			errs = append(errs, err)
			continue
		}
		a.journal.GoneAddress(p)
	}
	return errors.Join(errs...)
}

// addAddress leaves out IPv6 where the host has none: status says so.
func (a *applier) addAddress(p netip.Prefix) error {
	if err := a.journal.PutAddress(p); err != nil {
		return err
	}
	if err := a.dev.AddAddress(p); !errors.Is(err, tun.ErrNoIPv6) {
		return err
	}
	return nil
}

// without is what is in a and not in b.
func without(a, b []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return slices.Contains(b, p) })
}
