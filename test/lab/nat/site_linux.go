package nat

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A Site is a host at home: what the Router's kind says is between it and the
// Internet.
type Site struct {
	*lab.Host
	Kind   Kind
	Router *Router
	Cable  *lab.Cable // to the router: end A is the host's
	net    *Internet
	moves  int
}

// Site adds a host behind a router of a kind.
func (n *Internet) Site(name string, k Kind) (*Site, error) {
	h, err := n.Host(name)
	if err != nil {
		return nil, err
	}
	s := &Site{Host: h, net: n}
	if err := s.plugInto(name, k); err != nil {
		return nil, fmt.Errorf("nat: site %s: %w", name, err)
	}
	return s, nil
}

// Move takes the host to a new router of a kind, with other addresses inside and
// outside. Its device to the old one goes down.
func (s *Site) Move(k Kind) error {
	if err := s.SetLink(s.Cable.A.Dev, false); err != nil {
		return err
	}
	s.moves++
	if err := s.plugInto(fmt.Sprintf("%s%d", s.Name, s.moves+1), k); err != nil {
		return fmt.Errorf("nat: move site %s: %w", s.Name, err)
	}
	return nil
}

// plugInto makes a router of a kind, and its carrier's, and joins the host to it.
func (s *Site) plugInto(name string, k Kind) (err error) {
	inner, above, carried := k.forms()
	var carrier *Router
	if carried {
		if carrier, err = s.net.carrier(name, k, above); err != nil {
			return err
		}
	}
	if s.Router, err = s.net.router(name+"-router", inner, carrier); err != nil {
		return err
	}
	at := s.net.families(lan(s.net.links, inner.translates()))
	if s.Cable, err = s.net.join(s.Host, s.Router.Host, at); err != nil {
		return err
	}
	s.Kind = k
	return errors.Join(s.routeBack(at), s.ownRules())
}

// routeBack tells those above the router where the site's public networks are.
func (s *Site) routeBack(at lab.Addresses) (err error) {
	add := func(h *lab.Host, network netip.Prefix, r *Router) {
		via := r.IP4
		if network.Addr().Is6() {
			via = r.IP6
		}
		err = errors.Join(err, h.Route(network.Masked(), via, 0))
	}
	top := s.Router
	if c := s.Router.Carrier; c != nil {
		top = c
	}
	if !s.Router.rules.form.translates() {
		add(s.net.Core, at.A4, top)
	}
	if !at.A6.IsValid() {
		return err
	}
	add(s.net.Core, at.A6, top)
	if top != s.Router {
		add(top.Host, at.A6, s.Router)
	}
	return err
}

// ownRules are those of the host itself.
func (s *Site) ownRules() error {
	if s.Kind == K8sNode {
		return s.Nft(nodeRules())
	}
	if s.moves > 0 {
		return s.Nft("table ip labnode {}\ndelete table ip labnode")
	}
	return nil
}

// Depth is the hop limit with which a packet passes the site's own routers and
// dies in the core: what opens a mapping and reaches nobody.
func (s *Site) Depth() int {
	if s.Router.Carrier != nil {
		return 3
	}
	return 2
}

// Addr4 and Addr6 are the host's addresses on the cable that it uses now.
func (s *Site) Addr4() netip.Addr { return s.Cable.A.IP4.Addr() }

// Addr6 is the host's IPv6 address now; it is not valid where there is none.
func (s *Site) Addr6() netip.Addr { return s.Cable.A.IP6.Addr() }

// Public says whether the host's IPv4 address is one of the Internet's.
func (s *Site) Public() bool { return !s.Router.rules.form.translates() }
