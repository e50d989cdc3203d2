package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// check holds the peers against each other.
func (c *Config) check() error {
	for _, f := range []func() error{c.checkDIDs, c.checkNames, c.checkPrefixes, c.checkPublic, c.checkEndpoints, c.checkInvites, func() error { return c.Only.settle(c) }} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkDIDs() error {
	seen := make(map[did.DID]int, len(c.Peers))
	for i := range c.Peers {
		p := &c.Peers[i]
		if line, twice := seen[p.DID]; twice {
			return newError(c.Path, p.at.did, "peer.did", "this peer is there already, on line %d", line)
		}
		seen[p.DID] = p.at.did.line
	}
	return nil
}

// checkInvites refuses invitations to a hub that is none.
func (c *Config) checkInvites() error {
	for _, p := range c.Peers {
		if p.Invites && c.Relay == relay.Off {
			return newError(c.Path, p.at.invites, "peer.invites", "this node is a hub for nobody, so there is nothing to invite to; relay = \"peers\" makes it one")
		}
	}
	return nil
}

func (c *Config) checkNames() error {
	seen := make(map[string]int, len(c.Peers))
	for i := range c.Peers {
		p := &c.Peers[i]
		if p.Name == "" {
			continue
		}
		if line, twice := seen[p.Name]; twice {
			return newError(c.Path, p.at.name, "peer.name", "the name %q is taken, on line %d", p.Name, line)
		}
		seen[p.Name] = p.at.name.line
	}
	return nil
}

func (c *Config) checkPrefixes() error {
	seen := make(map[netip.Prefix]int, 2*len(c.Peers))
	for i := range c.Peers {
		p := &c.Peers[i]
		for j, prefix := range p.AllowedIPs {
			if line, twice := seen[prefix]; twice {
				return newError(c.Path, p.at.prefixes[j], "peer.allowed_ips",
					"%s belongs to the peer of line %d already; a prefix can belong to only one peer", prefix, line)
			}
			seen[prefix] = p.at.prefixes[j].line
		}
	}
	return nil
}

// checkPublic refuses a peer whose prefixes together hold more than a quarter of
// the public addresses of either family.
func (c *Config) checkPublic() error {
	for i := range c.Peers {
		p := &c.Peers[i]
		if !tooPublic(p.AllowedIPs) {
			continue
		}
		at := slices.IndexFunc(p.AllowedIPs, IsPublic)
		return newError(c.Path, p.at.prefixes[at], "peer.allowed_ips",
			"the prefixes of this peer together hold more than a quarter of the Internet's addresses: exit nodes are not supported yet")
	}
	return nil
}

func (c *Config) checkEndpoints() error {
	for i := range c.Peers {
		p := &c.Peers[i]
		for j, e := range p.Endpoints {
			if prefix, in := endpointInside(e, p.AllowedIPs); in {
				return newError(c.Path, p.at.endpoints[j], "peer.endpoints",
					"%s lies inside the peer's own prefix %s: the tunnel would carry itself", e, prefix)
			}
		}
	}
	return nil
}

// CheckOwn is the part of the check that needs the node's key: it refuses the
// node itself as a peer, and a peer that claims one of the node's addresses.
func (c *Config) CheckOwn(own did.DID) error {
	ours := map[netip.Addr]bool{own.Addr(): true}
	for _, a := range c.Addresses {
		ours[a.Addr()] = true
	}
	for i := range c.Peers {
		p := &c.Peers[i]
		if p.DID == own {
			return newError(c.Path, p.at.did, "peer.did", "this is the node's own DID")
		}
		for j, prefix := range p.AllowedIPs {
			if prefix.IsSingleIP() && ours[prefix.Addr()] {
				return newError(c.Path, p.at.prefixes[j], "peer.allowed_ips", "%s is this node's own address", prefix)
			}
		}
	}
	for i := range c.Only {
		if c.Only[i].Peer == own {
			return newError(c.Path, c.Only[i].who.val.at, "only.peer", "this is the node's own DID; the block says what a peer may send to it")
		}
	}
	return nil
}

// checkRoutes refuses a prefix that is routed twice, or that a peer has: packets
// to it would go two ways.
func (c *Config) checkRoutes(at []position) error {
	if len(c.Routes) == 0 {
		return nil
	}
	seen := make(map[netip.Prefix]int, 2*len(c.Peers))
	for i := range c.Peers {
		for _, p := range c.Peers[i].AllowedIPs {
			seen[p] = c.Peers[i].Line
		}
	}
	for i, p := range c.Routes {
		if line, twice := seen[p]; twice {
			return newError(c.Path, at[i], "route.prefix", "%s is taken, by the block of line %d", p, line)
		}
		seen[p] = at[i].line
	}
	return nil
}

// Settle is for a config that a node is to use: of thousands of peers it gives up what
// only errors about the file need, where in it their values stand, and puts their names
// and prefixes together, so that they do not hold on to the memory between them in which
// the file was read. Parse and CheckOwn come before it, and nobody else reads c yet.
func (c *Config) Settle() {
	if c.settled { // and so others may read it
		return
	}
	c.settled = true
	var names strings.Builder
	prefixes := make([]netip.Prefix, 0, countPrefixes(c.Peers))
	for i := range c.Peers {
		names.WriteString(c.Peers[i].Name)
	}
	rest := names.String()
	for i := range c.Peers {
		p := &c.Peers[i]
		p.at = nil
		p.Name, rest = rest[:len(p.Name)], rest[len(p.Name):]
		prefixes = append(prefixes, p.AllowedIPs...)
		at := len(prefixes) - len(p.AllowedIPs)
		p.AllowedIPs = prefixes[at:len(prefixes):len(prefixes)]
	}
}

func countPrefixes(peers []Peer) (n int) {
	for i := range peers {
		n += len(peers[i].AllowedIPs)
	}
	return n
}
