package node

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/tun"
)

// applyAddresses brings the device's addresses up to date; the DID's own stays.
// The new ones come first, and a route that stands for an address's connected one
// is made to outlive it: no prefix is without a route in between.
func (n *node) applyAddresses(before, now []netip.Prefix) error {
	var errs []error
	for _, a := range without(now, before) {
		errs = append(errs, n.addAddress(a))
	}
	for _, a := range without(before, now) {
		if err := errors.Join(n.kernel.Release(a.Masked()), n.dev.RemoveAddress(a)); err != nil {
			errs = append(errs, err)
			continue
		}
		n.journal.GoneAddress(a)
	}
	return errors.Join(errs...)
}

// addAddress leaves out IPv6 where the host has none: status says so.
func (n *node) addAddress(a netip.Prefix) error {
	if err := n.journal.PutAddress(a); err != nil {
		return err
	}
	if err := n.dev.AddAddress(a); !errors.Is(err, tun.ErrNoIPv6) {
		return err
	}
	return nil
}

// without is what is in a and not in b.
func without(a, b []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return slices.Contains(b, p) })
}
