package invite

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/transport"
)

// A MemberSpec is an invitation into a network as asked for on a command line.
type MemberSpec struct {
	Network   config.Network
	Endpoints []string // HOST:PORT where this node is reached; empty: those of this machine
	Hubs      []Hub    // members that the newcomer may ask as well
	Groups    []string
	Member    time.Duration // how long they are members; 0: no end
	Uses      int
	Approve   bool
	Life      time.Duration
	Seen      []netip.AddrPort // where peers see this node
}

// MakeMember makes an invitation into a network, which this node is an issuer of: the caller
// has checked that. It is promised, in the file beside the config, when MakeMember returns.
func MakeMember(path string, s MemberSpec, now time.Time) (Link, Invitation, error) {
	c, err := config.Load(path)
	if err != nil {
		return Link{}, Invitation{}, err
	}
	id, err := config.LoadIdentity(path)
	if err != nil {
		return Link{}, Invitation{}, err
	}
	l := Link{DID: id.DID(), Endpoints: s.Endpoints, Until: now.Add(s.Life), Network: s.Network.ID.String(), Called: s.Network.Name}
	if l.Endpoints, err = endpointsOf(c, s.Endpoints, s.Seen); err != nil {
		return l, Invitation{}, err
	}
	if err := dialable(l.Endpoints); err != nil {
		return l, Invitation{}, err
	}
	for _, h := range s.Hubs {
		if h.DID != l.DID && len(l.Hubs) < maxHubs {
			l.Hubs = append(l.Hubs, h)
		}
	}
	i := Invitation{AllowedIPs: []string{}, Created: now.Truncate(time.Second), Network: l.Network, Groups: s.Groups, Member: s.Member, Uses: s.Uses, Approve: s.Approve}
	l = NewLink(l)
	i.Secret = keepSecret(id, l.Secret())
	return l, i, NewStore(path).Add(l, i)
}

// endpointsOf are where this node is reached: those that a person names, those of the config,
// or those of this machine.
func endpointsOf(c *config.Config, named []string, seen []netip.AddrPort) ([]string, error) {
	if len(named) == 0 {
		for _, at := range c.ReachedAt {
			named = append(named, at.String())
		}
	}
	if len(named) == 0 {
		machine, err := Machine(c.Interface)
		if err != nil {
			return nil, err
		}
		named = Endpoints(c.Listen, machine, seen)
	}
	switch {
	case len(named) == 0:
		return nil, fmt.Errorf("this machine has no address that another could reach; say where this node is reached: --endpoint HOST:%d", c.Listen.Port())
	case len(named) > maxList:
		return nil, wrongf("a link has room for %d endpoints", maxList)
	}
	return named, nil
}

// ContactHub is a hub of a link made of a contact; false for one that nobody dials because
// another says so.
func ContactHub(c config.Contact) (Hub, bool) {
	return Hub{DID: c.DID, Endpoints: []string{c.Endpoint}}, transport.DialableEndpoint(c.Endpoint) == nil
}

// Contacts are whom a node asks that joins a network by the link.
func (l Link) Contacts() (all []config.Contact) {
	add := func(h Hub) {
		for _, e := range h.Endpoints {
			all = append(all, config.Contact{DID: h.DID, Endpoint: strings.TrimSpace(e)})
		}
	}
	add(Hub{DID: l.DID, Endpoints: l.Endpoints})
	for _, h := range l.Hubs {
		add(h)
	}
	return all[:min(len(all), 16)]
}
