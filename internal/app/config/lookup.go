package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/names"
)

// Lookup finds the peer that somebody means: by DID, by name, also as NAME.l2, or by an
// overlay address, its own or one inside its prefixes (then the longest, as packets go).
// Nil if there is none.
func (c *Config) Lookup(who string) *Peer {
	i := c.find(who)
	if addr, err := netip.ParseAddr(who); i < 0 && err == nil {
		i = c.owner(addr, 0)
	}
	if i < 0 {
		return nil
	}
	return &c.Peers[i]
}

// Peer is the peer with a DID; nil if there is none.
func (c *Config) Peer(d did.DID) *Peer {
	for i := range c.Peers {
		if c.Peers[i].DID == d {
			return &c.Peers[i]
		}
	}
	return nil
}

// Network finds a network by its name here or its id; nil: none. "" is the only one.
func (c *Config) Network(who string) *Network {
	i := slices.IndexFunc(c.Networks, func(n Network) bool { return n.Name == who || n.ID.String() == who })
	if who == "" && len(c.Networks) == 1 {
		i = 0
	}
	if i < 0 {
		return nil
	}
	return &c.Networks[i]
}

// Hubs are the peers that this node asks to help it meet others.
func (c *Config) Hubs() (hubs []*Peer) {
	for i := range c.Peers {
		if c.Peers[i].Hub {
			hubs = append(hubs, &c.Peers[i])
		}
	}
	return hubs
}

// Inviting reports whether an invitation of any peer may make peers of this node.
func (c *Config) Inviting() bool {
	return slices.ContainsFunc(c.Peers, func(p Peer) bool { return p.Invites })
}

// CanBeFound reports whether a node with these hubs can come to a session with a peer
// by itself: it has endpoints, or another peer is a hub.
func (p *Peer) CanBeFound(hubs []*Peer) bool {
	return len(p.Endpoints) > 0 || slices.ContainsFunc(hubs, func(h *Peer) bool { return h.DID != p.DID })
}

// find is Lookup for a change: a prefix names nobody.
func (c *Config) find(who string) int {
	for i := range c.Peers {
		if p := &c.Peers[i]; p.DID.String() == who || p.Name != "" && p.Name == who {
			return i
		}
	}
	if name, is := names.Bare(who); is {
		return slices.IndexFunc(c.Peers, func(p Peer) bool { return p.Name != "" && strings.EqualFold(p.Name, name) })
	}
	addr, err := netip.ParseAddr(who)
	if err != nil {
		return -1
	}
	return c.owner(addr, addr.BitLen())
}

// owner is the peer with the longest prefix around addr, of at least so many bits.
func (c *Config) owner(addr netip.Addr, least int) int {
	found, bits := -1, least-1
	for i := range c.Peers {
		for _, prefix := range c.Peers[i].AllowedIPs {
			if prefix.Contains(addr) && prefix.Bits() > bits {
				found, bits = i, prefix.Bits()
			}
		}
	}
	return found
}

// reaches reports whether peers may send to a prefix.
func (c *Config) reaches(prefix netip.Prefix) bool {
	holds := func(p netip.Prefix) bool { return p.Bits() <= prefix.Bits() && p.Overlaps(prefix) }
	if slices.ContainsFunc(c.Routes, holds) {
		return true
	}
	if slices.ContainsFunc(c.Addresses, func(a netip.Prefix) bool { return a.Overlaps(prefix) }) {
		return true
	}
	return slices.ContainsFunc(c.Peers, func(p Peer) bool { return slices.ContainsFunc(p.AllowedIPs, holds) })
}

// Assigner is the name, or the DID, of the peer whose invitation gave this node
// its address in a network: that peer knows which addresses of it are free, and
// this node does not. False if this node gives them itself.
func (c *Config) Assigner(network netip.Prefix) (string, bool) {
	for _, p := range c.Peers {
		if p.Assigned.IsValid() && p.Assigned.Masked() == network.Masked() {
			if p.Name == "" {
				return p.DID.String(), true
			}
			return p.Name, true
		}
	}
	return "", false
}

// missing is the error that there is no peer who, with the one that was meant
// perhaps.
func (c *Config) missing(who string) error {
	msg := fmt.Sprintf("there is no peer %q in it", who)
	if p := c.near(who); p != nil {
		msg += fmt.Sprintf("; did you mean %s?", p.called())
	}
	return &Error{File: c.Path, Msg: msg, cause: ErrNoPeer}
}

// near is the peer whose DID or name is who but for a slip or two.
func (c *Config) near(who string) *Peer {
	for i := range c.Peers {
		p := &c.Peers[i]
		if alike(p.DID.String(), who) || len(p.Name) > 3 && alike(p.Name, who) {
			return p
		}
	}
	return nil
}

func (p *Peer) called() string {
	if p.Name != "" {
		return p.Name + " (" + p.DID.String() + ")"
	}
	return p.DID.String()
}

// alike reports whether two texts differ by one or two slips: a character wrong,
// missing or too many.
func alike(a, b string) bool {
	const slips = 2
	if len(a)-len(b) > slips || len(b)-len(a) > slips {
		return false
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)] <= slips
}

// checkSlip refuses a DID that is a known one but for a slip or two: a DID has no
// checksum, and two that are so alike do not come about by chance.
func (c *Config) checkSlip(d did.DID, own did.DID) error {
	text := d.String()
	if !own.IsZero() && d != own && alike(own.String(), text) {
		return &Error{File: c.Path, Key: "peer.did", Msg: fmt.Sprintf("%s is this node's own DID but for a character or two: it is mistyped", text)}
	}
	for i := range c.Peers {
		if p := &c.Peers[i]; p.DID != d && alike(p.DID.String(), text) {
			return &Error{File: c.Path, Key: "peer.did", Msg: fmt.Sprintf("%s is the DID of peer %s but for a character or two: it is mistyped", text, p.called())}
		}
	}
	return nil
}

// checkSlipOfNew is checkSlip for a DID that takes the place of another.
func (c *Config) checkSlipOfNew(d, old did.DID) error {
	others := *c
	others.Peers = slices.DeleteFunc(slices.Clone(c.Peers), func(p Peer) bool { return p.DID == old })
	return others.checkSlip(d, did.DID{})
}
