package node

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/network"
	"github.com/libertaria-project/l2tun/routing"
)

// memberIdle is idle_after of sessions with members where the config does not say another.
const memberIdle = 5 * time.Minute

// A party is who this node speaks to by its networks. It never changes.
type party struct {
	of    map[did.DID]*membership.Network // members that are peers, and not of the config, by their first network
	left  []leftOut
	waits bool // members of a network are no peers yet: a hub is asked first
}

// member is the network by which a DID is a peer; nil: it is one of the config, or none.
func (p *party) member(d did.DID) *membership.Network {
	if p == nil {
		return nil
	}
	return p.of[d]
}

// leftOut is a part of a member's line that this machine does not take.
type leftOut struct {
	network string
	member  did.DID
	name    string
	prefix  netip.Prefix
	why     string
}

func (l leftOut) finding() network.Finding {
	return network.Finding{Code: "left_out", DID: l.member, Text: fmt.Sprintf("%s of %s is not taken here: %s", l.prefix, cmp.Or(l.name, l.member.Short()), l.why)}
}

// A merging makes members further peers of a config.
type merging struct {
	self   did.DID
	c      *config.Config
	out    *config.Config
	party  *party
	set    *config.Settings // of sessions with members
	static map[did.DID]int  // place among the peers of the config
	added  map[did.DID]int  // place of those of networks
	names  map[string]bool
	single map[netip.Prefix]did.DID // single addresses that have an owner
	wide   []netip.Prefix           // prefixes of static peers and own routes
	host   []netip.Prefix           // networks that the host is on
}

// merged is a config with the members of the networks as further peers, and with this
// node's own addresses in them. What collides with the config or the host is left out. A
// member that is a peer of the config stays that: it gets its addresses, and is a hub
// here if it is one there.
func merged(c *config.Config, nets []*membership.Network, self did.DID, host []routing.HostAddress) (*config.Config, *party) {
	if len(nets) == 0 {
		return c, new(party)
	}
	x := &merging{self: self, c: c, party: &party{of: make(map[did.DID]*membership.Network)}, static: make(map[did.DID]int), added: make(map[did.DID]int),
		names: make(map[string]bool), single: make(map[netip.Prefix]did.DID), host: besides(host)}
	x.begin()
	for _, n := range nets {
		x.own(n)
	}
	for _, n := range nets {
		x.party.waits = x.party.waits || !n.Admitted
		x.contacts(n)
		for m := range n.View.Members() {
			x.member(n, m)
		}
	}
	return x.out, x.party
}

func (x *merging) begin() {
	out := *x.c
	out.Peers, out.Addresses = slices.Clone(x.c.Peers), slices.Clone(x.c.Addresses)
	x.out = &out
	set := x.c.Session
	if set.IdleAfter == 0 {
		set.IdleAfter = memberIdle
	}
	x.set = &set
	for _, a := range x.c.Addresses {
		x.single[netip.PrefixFrom(a.Addr(), a.Addr().BitLen())] = x.self
	}
	x.wide = slices.Clone(x.c.Routes)
	for i := range out.Peers {
		p := &out.Peers[i]
		x.static[p.DID] = i
		x.names[p.Name] = true
		for _, a := range p.AllowedIPs {
			if a.IsSingleIP() {
				x.single[a] = p.DID
			} else {
				x.wide = append(x.wide, a)
			}
		}
	}
}

// collision says why a prefix of a DID cannot be used here; "" if it can.
func (x *merging) collision(d did.DID, p netip.Prefix) string {
	if owner, taken := x.single[p]; taken && owner != d {
		if owner == x.self {
			return "it is an address of this node"
		}
		return "it belongs to " + owner.Short()
	}
	overlaps := func(all []netip.Prefix) int { return slices.IndexFunc(all, p.Overlaps) }
	if i := overlaps(x.wide); i >= 0 {
		return "the config has " + x.wide[i].String()
	}
	if i := overlaps(x.host); i >= 0 {
		return "this machine is on " + x.host[i].String()
	}
	return ""
}

// take reports whether a prefix can be used, and notes whose it is.
func (x *merging) take(n *membership.Network, d did.DID, name string, p netip.Prefix) bool {
	why := x.collision(d, p)
	if why == "" && !inward(n, p) {
		why = "it is public, and not inside accept_routes"
	}
	if why != "" {
		x.party.left = append(x.party.left, leftOut{n.Name, d, name, p, why})
		return false
	}
	if p.IsSingleIP() {
		x.single[p] = d
	}
	return true
}

// inward reports whether a network may have a prefix without being asked: public ones lead
// to others on the internet, so only the config says that a network has them.
func inward(n *membership.Network, p netip.Prefix) bool {
	within := func(a netip.Prefix) bool { return a.Bits() <= p.Bits() && a.Contains(p.Addr()) }
	return slices.ContainsFunc(privatePrefixes, within) || slices.ContainsFunc(n.Accept, within)
}

// privatePrefixes are of RFC 1918, RFC 4193 and RFC 6598.
var privatePrefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7")}

// own adds this node's addresses in a network, with the length of the network's prefix, so
// that one route leads to all members.
func (x *merging) own(n *membership.Network) {
	m, ok := n.View.Member(x.self)
	if !ok {
		return
	}
	for _, a := range m.Addrs {
		p := netip.PrefixFrom(a, a.BitLen())
		if x.single[p] == x.self || !x.take(n, x.self, m.Name, p) {
			continue
		}
		if scope, ok := n.View.Issuer(m.Issuer); ok && inward(n, scope.Prefix) && !slices.ContainsFunc(x.host, scope.Prefix.Overlaps) {
			p = netip.PrefixFrom(a, scope.Prefix.Bits())
		}
		x.out.Addresses = append(x.out.Addresses, p)
	}
}

// contacts adds those that have invited this node, until it is a member itself.
func (x *merging) contacts(n *membership.Network) {
	for _, c := range n.Contacts {
		if _, member := n.View.Member(c.DID); member || !n.Inviting(x.self, c.DID) {
			continue
		}
		if i := x.add(n, c.DID, ""); i >= 0 {
			x.out.Peers[i].Endpoints = n.Endpoints(c.DID)
		}
	}
}

// add makes a DID a peer, unless it is one or this node; -1 then.
func (x *merging) add(n *membership.Network, d did.DID, name string) int {
	if _, static := x.static[d]; static || x.party.of[d] != nil || d == x.self {
		return -1
	}
	if name != "" && x.names[name] {
		name += "." + n.Name
	}
	x.names[name] = true
	x.party.of[d], x.added[d] = n, len(x.out.Peers)
	x.out.Peers = append(x.out.Peers, config.Peer{DID: d, Name: name, Session: x.set, AllowedIPs: []netip.Prefix{netip.PrefixFrom(d.Addr(), 128)}})
	return len(x.out.Peers) - 1
}

// member adds a member. Until a hub has been asked, hubs and contacts are the only ones, and
// so they are where this node is none itself: by them it hears what has changed.
func (x *merging) member(n *membership.Network, m *network.Member) {
	if i, static := x.static[m.DID]; static {
		p := &x.out.Peers[i]
		p.Hub = p.Hub || n.View.IsHub(m.DID)
		x.addresses(n, m, p)
		return
	}
	_, belongs := n.View.Member(x.self)
	first := n.View.IsHub(m.DID) || n.IsContact(m.DID)
	if !first && (!n.Admitted || !belongs) {
		return
	}
	i := x.add(n, m.DID, m.Name)
	if i < 0 {
		if at, is := x.added[m.DID]; is { // by another network
			x.addresses(n, m, &x.out.Peers[at])
		}
		return
	}
	p := &x.out.Peers[i]
	p.Endpoints, p.Hub = n.Endpoints(m.DID), n.View.IsHub(m.DID)
	x.addresses(n, m, p)
	for _, r := range m.Routes {
		if slices.ContainsFunc(n.Accept, func(a netip.Prefix) bool { return a.Bits() <= r.Bits() && a.Contains(r.Addr()) }) && x.take(n, m.DID, m.Name, r) {
			p.AllowedIPs = append(p.AllowedIPs, r)
			x.wide = append(x.wide, r)
		}
	}
}

// addresses are what a member is reached at, and may send from.
func (x *merging) addresses(n *membership.Network, m *network.Member, p *config.Peer) {
	var more []netip.Prefix
	for _, a := range m.Addrs {
		if prefix := netip.PrefixFrom(a, a.BitLen()); !slices.Contains(p.AllowedIPs, prefix) && x.take(n, m.DID, m.Name, prefix) {
			more = append(more, prefix)
		}
	}
	if more != nil {
		p.AllowedIPs = slices.Concat(more, p.AllowedIPs)
	}
}

// sought reports whether a session is established without being asked: with peers of the
// config that can be found, and of members with hubs, or with contacts where there is no
// hub. Others are dialled when a packet wants them.
func (p *party) sought(peer *config.Peer, hubs []*config.Peer) bool {
	n := p.member(peer.DID)
	if n == nil || peer.Hub {
		return peer.CanBeFound(hubs)
	}
	head := n.View.Head()
	return len(peer.Endpoints) > 0 && (head == nil || len(head.Hubs) == 0)
}
