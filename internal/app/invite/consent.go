package invite

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/internal/app/config"
)

// Bounds of what a link may take without a question: prefix lengths of private
// networks.
const (
	plainBits4 = 16
	plainBits6 = 48
)

// A Doubt is something in a link that a person should have seen before it is taken.
type Doubt struct {
	Prefix netip.Prefix
	Why    string // completes "10.0.0.0/8: "
}

// Refuse reports why a link cannot be accepted on a machine, even with consent: its
// prefixes are none that a peer may own, or its address would take the place of a
// network that the machine is on.
func (l Link) Refuse(machine []Net) error {
	if err := config.CheckLink(config.PeerSpec{DID: l.DID, Name: l.Name, Endpoints: l.Endpoints}, l.Allowed); err != nil {
		return err
	}
	for _, h := range l.Hubs {
		if err := config.CheckLink(config.PeerSpec{DID: h.DID, Name: h.Name, Endpoints: h.Endpoints, Hub: true}, nil); err != nil {
			return err
		}
	}
	if n, ok := on(machine, l.Address); ok {
		return fmt.Errorf("the link gives this node %s, and this machine is on that network already (%s on %s); ask for one made with another --address, or with --no-address",
			l.Address, n.Prefix, n.Interface)
	}
	return nil
}

// Doubts are the prefixes of a link that go beyond what joining a private network
// takes: public ones, ones wider than /16 (IPv6: /48), and networks that this
// machine is on.
func (l Link) Doubts(machine []Net) (out []Doubt) {
	all := slices.Clone(l.Allowed)
	if l.Address.IsValid() {
		all = append(all, l.Address.Masked())
	}
	for _, p := range all {
		if why := doubt(p, machine); why != "" {
			out = append(out, Doubt{p, why})
		}
	}
	return out
}

func doubt(p netip.Prefix, machine []Net) string {
	least := plainBits4
	if p.Addr().Is6() {
		least = plainBits6
	}
	n, here := on(machine, p)
	switch {
	case !private(p.Addr()) || config.IsPublic(p):
		return "public addresses"
	case p.Bits() < least:
		return fmt.Sprintf("a large network, wider than /%d", least)
	case here:
		return "this machine's network on " + n.Interface
	}
	return ""
}

// on finds a network of the machine that shares addresses with a prefix.
func on(machine []Net, p netip.Prefix) (Net, bool) {
	i := slices.IndexFunc(machine, func(n Net) bool { return p.IsValid() && n.Prefix.Overlaps(p) })
	if i < 0 {
		return Net{}, false
	}
	return machine[i], true
}
