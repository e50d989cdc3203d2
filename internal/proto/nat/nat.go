// Package nat tells what the NAT of this host does to UDP, from the addresses at
// which peers see it (RFC 4787, 4.1: mapping). It asks nobody: each peer says by
// ECHO where a packet of ours came from. Pure: no clock, no socket.
//
// A peer may tell what it likes, so that what most of them say counts. Nothing but
// words for people and the order of attempts depends on it.
package nat

import (
	"net/netip"
	"slices"
)

// A Kind is how a NAT maps one local address towards several remotes.
type Kind uint8

const (
	Unknown             Kind = iota // nobody far away has told, or too few
	None                            // peers see this host's own address
	EndpointIndependent             // all see one address and port: each can be told to another
	EndpointDependent               // each sees another port: "symmetric"
)

func (k Kind) String() string {
	return [...]string{"unknown", "none", "endpoint_independent", "endpoint_dependent"}[k]
}

// A Sighting is where a peer sees this host. Paths that are no UDP, or go through a
// hub, give none.
type Sighting struct {
	Remote netip.AddrPort // of the peer, as this host reaches it
	Local  netip.AddrPort // of this host on that path
	Seen   netip.AddrPort // where the peer sees it
	Near   bool           // the peer is in a network that this host is connected to
}

// A Verdict is what sightings amount to.
type Verdict struct {
	Kind       Kind // IPv4's where anybody has told of it, else IPv6's
	IPv4, IPv6 Kind
	Likely     Kind  // IPv4's, by a guess where nobody can tell: see likely
	Witnesses  []int // sightings that Kind follows from
}

// Of judges sightings.
func Of(all []Sighting) Verdict {
	v4, by4 := family(all, true)
	v6, by6 := family(all, false)
	v := Verdict{Kind: v4, IPv4: v4, IPv6: v6, Likely: likely(all, v4, by4), Witnesses: by4}
	if len(by4) == 0 {
		v.Kind, v.Witnesses = v6, by6
	}
	return v
}

// family judges what was seen of one family. Where the host has several addresses,
// by several ways to the Internet, the one that peers have told most of counts.
func family(all []Sighting, v4 bool) (kind Kind, witnesses []int) {
	byLocal := make(map[netip.AddrPort][]int)
	for i, s := range all {
		if s.usable() && s.Seen.Addr().Is4() == v4 {
			byLocal[s.Local] = append(byLocal[s.Local], i)
		}
	}
	for _, local := range sorted(byLocal) {
		k, by := mapped(all, byLocal[local])
		if len(by) > len(witnesses) || len(by) == len(witnesses) && k > kind {
			kind, witnesses = k, by
		}
	}
	return kind, witnesses
}

// likely guesses the kind from witnesses in one place, who cannot tell: a NAT that keeps
// the port of a socket mostly does so for every remote, and one that draws another mostly
// draws one for each.
func likely(all []Sighting, known Kind, by []int) Kind {
	if known != Unknown || len(by) == 0 {
		return known
	}
	for _, i := range by {
		if s := &all[i]; s.Seen.Port() != s.Local.Port() {
			return EndpointDependent
		}
	}
	return EndpointIndependent
}

// usable reports whether a sighting says anything. Addresses are without IPv4-mapped
// ones: the caller's carriers unmap them.
func (s *Sighting) usable() bool {
	return s.Remote.IsValid() && s.Local.IsValid() && s.Seen.IsValid() && s.Seen.Addr().Is4() == s.Local.Addr().Is4()
}

func sorted(m map[netip.AddrPort][]int) (keys []netip.AddrPort) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, netip.AddrPort.Compare)
	return keys
}

// mapped judges the sightings of one local address.
func mapped(all []Sighting, of []int) (Kind, []int) {
	var plain, translated []int
	for _, i := range of {
		s := &all[i]
		switch {
		case s.Seen != s.Local:
			translated = append(translated, i)
		case !s.Near || !s.Seen.Addr().IsPrivate(): // on one LAN a private address says nothing
			plain = append(plain, i)
		}
	}
	if len(translated) > 0 {
		return dependence(all, translated), translated
	}
	if len(plain) > 0 {
		return None, plain
	}
	return Unknown, nil
}

// dependence compares what remotes see through a NAT. One address of remotes alone
// cannot tell: it sees one mapping, whatever the NAT does. If most remotes see one
// mapping, the others are old, or lie.
func dependence(all []Sighting, of []int) Kind {
	seenBy := make(map[netip.AddrPort][]netip.Addr) // remotes' addresses by mapping
	for _, i := range of {
		s := &all[i]
		if !slices.Contains(seenBy[s.Seen], s.Remote.Addr()) {
			seenBy[s.Seen] = append(seenBy[s.Seen], s.Remote.Addr())
		}
	}
	most, total := 0, 0
	for _, by := range seenBy {
		most, total = max(most, len(by)), total+len(by)
	}
	switch {
	case most > 1 && most > total-most:
		return EndpointIndependent
	case len(seenBy) > 1:
		return EndpointDependent
	}
	return Unknown
}
