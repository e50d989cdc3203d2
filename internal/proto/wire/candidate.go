package wire

import (
	"encoding/binary"
	"net/netip"
)

const (
	// CandidateSize is a candidate on the wire: address 16, IPv4 mapped; port 2; kind 1.
	CandidateSize = 19
	// MaxCandidates is the most that one frame names.
	MaxCandidates = 8

	// minCandidatePort keeps told addresses away from the ports of well-known services.
	minCandidatePort = 1024
)

// discardOnly is where circuits have their virtual remotes (RFC 6666). No datagram
// has such an address, and a told one would name another peer's circuit.
var discardOnly = netip.MustParsePrefix("100::/64")

// A CandidateKind says where a candidate comes from. One of a later version is
// carried as it is, and its candidate is not used.
type CandidateKind uint8

const (
	CandidateOwn        CandidateKind = iota + 1 // an address of the node itself
	CandidateSeen                                // as a peer sees the node: reflexive
	CandidateMapped                              // a mapping that its router has given
	CandidateConfigured                          // an endpoint of its config
)

// Known reports whether this version knows what the kind means.
func (k CandidateKind) Known() bool { return k >= CandidateOwn && k <= CandidateConfigured }

// A Candidate is an address at which a node may be reachable; it proves nothing.
type Candidate struct {
	Addr netip.AddrPort
	Kind CandidateKind
}

// Valid reports whether c may stand in a frame. Whether it may be dialled is more:
// SPEC 3.10, and what the receiver knows of its own networks.
func (c Candidate) Valid() bool {
	a := c.Addr.Addr().Unmap()
	switch {
	case c.Kind == 0, c.Addr.Port() < minCandidatePort, !a.IsValid(), a.Zone() != "":
		return false
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast():
		return false
	case a.Is4():
		first := a.As4()[0] // 0: this network; 240 and above: reserved and broadcast
		return first != 0 && first < 240
	}
	return !a.IsLinkLocalUnicast() && !discardOnly.Contains(a) // link-local means nothing without a zone
}

// Candidates are the candidates of one frame, all of them valid and each address
// once. The zero value has none.
type Candidates struct {
	list [MaxCandidates]Candidate
	n    int
}

// All are the candidates in their order, valid until the next Add.
func (c *Candidates) All() []Candidate { return c.list[:c.n] }

// Add appends a candidate; an IPv4 address is kept unmapped. It reports false for
// one that is not valid or is there already, and when there is no room.
func (c *Candidates) Add(x Candidate) bool {
	x.Addr = netip.AddrPortFrom(x.Addr.Addr().Unmap(), x.Addr.Port())
	if c.n == MaxCandidates || !x.Valid() {
		return false
	}
	for _, have := range c.All() {
		if have.Addr == x.Addr {
			return false
		}
	}
	c.list[c.n] = x
	c.n++
	return true
}

// Append appends the CANDIDATES frame of c to b.
func (c *Candidates) Append(b []byte) []byte { return c.append(append(b, FrameCandidates)) }

// ParseCandidates reads a CANDIDATES frame.
func ParseCandidates(f []byte) (Candidates, bool) {
	if len(f) < 1 || f[0] != FrameCandidates {
		return Candidates{}, false
	}
	c, rest, ok := cutCandidates(f[1:])
	if !ok || len(rest) > 0 {
		return Candidates{}, false
	}
	return c, true
}

// append appends the number of candidates, and them.
func (c *Candidates) append(b []byte) []byte {
	b = append(b, byte(c.n))
	for _, x := range c.All() {
		addr := x.Addr.Addr().As16()
		b = binary.LittleEndian.AppendUint16(append(b, addr[:]...), x.Addr.Port())
		b = append(b, byte(x.Kind))
	}
	return b
}

// cutCandidates reads what append writes; rest aliases b. One candidate that Add
// does not take is one too many: the frame is refused.
func cutCandidates(b []byte) (c Candidates, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0])*CandidateSize {
		return Candidates{}, nil, false
	}
	n, rest := int(b[0]), b[1:]
	for range n {
		addr := netip.AddrFrom16([16]byte(rest[:16]))
		port := binary.LittleEndian.Uint16(rest[16:])
		if !c.Add(Candidate{netip.AddrPortFrom(addr, port), CandidateKind(rest[18])}) {
			return Candidates{}, nil, false
		}
		rest = rest[CandidateSize:]
	}
	return c, rest, true
}
