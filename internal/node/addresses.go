package node

import (
	"errors"
	"net/netip"
	"slices"
)

// applyAddresses brings the device's addresses up to date; the DID's own stays.
// The kernel's route to an address's network comes and goes with it, so a route
// of ours to just that network is put anew, by applyPeer.
func (n *node) applyAddresses(before, now []netip.Prefix) error {
	gone, come := without(before, now), without(now, before)
	var errs []error
	for _, a := range slices.Concat(gone, come) {
		errs = append(errs, n.kernel.Remove(a.Masked()))
	}
	for _, a := range gone {
		err := n.dev.RemoveAddress(a)
		if err == nil {
			n.journal.GoneAddress(a)
		}
		errs = append(errs, err)
	}
	for _, a := range come {
		errs = append(errs, n.addAddress(a))
	}
	return errors.Join(errs...)
}

func (n *node) addAddress(a netip.Prefix) error {
	if err := n.journal.PutAddress(a); err != nil {
		return err
	}
	return n.dev.AddAddress(a)
}

// without is what is in a and not in b.
func without(a, b []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return slices.Contains(b, p) })
}
