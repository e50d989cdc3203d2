package invite

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/transport"
)

// Bounds of an invitation's life.
const (
	MinLife = time.Minute
	MaxLife = 30 * 24 * time.Hour
)

// A Spec is an invitation as asked for on a command line.
type Spec struct {
	Peer       string   // what this node will call the new peer; may be empty
	Self       string   // what the new peer will call this node; may be empty
	Endpoints  []string // HOST:PORT where this node is reached; empty: those of this machine
	Address    string   // CIDR for the new peer; "": the next free one, "none": none
	AllowedIPs []string // further prefixes behind the new peer
	Routes     []string // further prefixes behind this node
	Life       time.Duration
	Seen       []netip.AddrPort // where peers see this node
}

// Make makes an invitation to the network of the config at path: it is promised,
// in the file beside the config, when Make returns. What would be refused when a
// node comes with it is refused now. Errors of the config are *config.Error and
// *config.KeyError.
func Make(path string, s Spec, now time.Time) (Link, Invitation, error) {
	c, err := config.Load(path)
	if err != nil {
		return Link{}, Invitation{}, err
	}
	id, err := config.LoadIdentity(path)
	if err != nil {
		return Link{}, Invitation{}, err
	}
	store := NewStore(path)
	promised, err := store.List()
	if err != nil {
		return Link{}, Invitation{}, err
	}
	promised = slices.DeleteFunc(promised, func(i Invitation) bool { return i.Joined || !now.Before(i.Expires) })
	l := Link{DID: id.DID(), Name: s.Self, Endpoints: s.Endpoints, Until: now.Add(s.Life)}
	if l.Address, err = s.address(c, promised); err != nil {
		return l, Invitation{}, err
	}
	if err := s.fill(c, &l); err != nil {
		return l, Invitation{}, err
	}
	i, err := s.promise(path, l, promised)
	if err != nil {
		return l, i, err
	}
	i.Created = now.Truncate(time.Second)
	l = NewLink(l)
	i.Secret = keepSecret(id, l.Secret())
	return l, i, store.Add(l, i)
}

// address is what the new peer gets.
func (s *Spec) address(c *config.Config, promised []Invitation) (netip.Prefix, error) {
	switch s.Address {
	case "none":
		return netip.Prefix{}, nil
	case "":
		return FreeAddress(c, promised)
	}
	a, err := netip.ParsePrefix(s.Address)
	if err != nil {
		return a, wrongf("--address: %q is not an address with its network's length, such as 10.9.0.3/24", s.Address)
	}
	return a, nil
}

// fill adds what the new peer needs to know of this node.
func (s *Spec) fill(c *config.Config, l *Link) error {
	var err error
	if l.Endpoints, err = endpointsOf(c, l.Endpoints, s.Seen); err != nil {
		return err
	}
	l.Hubs = hubsOf(c)
	l.Allowed = Allowed(c)
	for _, r := range s.Routes {
		p, err := netip.ParsePrefix(r)
		if err != nil {
			return wrongf("--route: %q is not a network, such as 192.168.7.0/24", r)
		}
		l.Allowed = append(l.Allowed, p)
	}
	if len(l.Endpoints) > maxList || len(l.Allowed) > maxList {
		return wrongf("a link has room for %d endpoints and %d networks", maxList, maxList)
	}
	return nil
}

// hubsOf are the hubs of the config that a link can name: with endpoints that a node
// dials because another one says so.
func hubsOf(c *config.Config) (out []Hub) {
	for _, p := range c.Hubs() {
		h := Hub{DID: p.DID, Name: p.Name}
		for _, e := range p.Endpoints {
			if transport.DialableEndpoint(e) == nil && len(h.Endpoints) < maxVia {
				h.Endpoints = append(h.Endpoints, e)
			}
		}
		if len(h.Endpoints) > 0 && len(out) < maxHubs {
			out = append(out, h)
		}
	}
	return out
}

// promise is what this node will do, checked against its config as a whole and
// against other promises.
func (s *Spec) promise(path string, l Link, promised []Invitation) (Invitation, error) {
	i := Invitation{Name: s.Peer, AllowedIPs: append([]string{}, s.AllowedIPs...)}
	if l.Address.IsValid() {
		i.Address = l.Address.String()
		i.AllowedIPs = append(i.AllowedIPs, netip.PrefixFrom(l.Address.Addr(), l.Address.Addr().BitLen()).String())
	}
	for _, other := range promised {
		if s.Peer != "" && other.Name == s.Peer {
			return i, &TakenError{fmt.Sprintf("the name %q", s.Peer), other.ID}
		}
		for _, p := range i.AllowedIPs {
			if slices.Contains(other.AllowedIPs, p) {
				return i, &TakenError{p, other.ID}
			}
		}
	}
	var nobody [32]byte
	rand.Read(nobody[:])
	if err := config.CheckPeer(path, config.PeerSpec{DID: did.FromDigest(nobody), Name: s.Peer, AllowedIPs: i.AllowedIPs}); err != nil {
		return i, err
	}
	self := config.PeerSpec{DID: did.FromDigest(nobody), Name: l.Name, Endpoints: l.Endpoints}
	if err := config.CheckLink(self, l.Allowed); err != nil {
		return i, err
	}
	return i, dialable(l.Endpoints)
}

// dialable refuses endpoints that no node dials because another one says so.
func dialable(endpoints []string) error {
	for _, e := range endpoints {
		if err := transport.DialableEndpoint(e); err != nil {
			return wrongf("--endpoint %s: %s", e, strings.TrimPrefix(err.Error(), "transport: "))
		}
	}
	return nil
}
