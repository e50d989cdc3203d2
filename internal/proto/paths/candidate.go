package paths

import (
	"net/netip"
	"slices"
)

// A Candidate is an address at which the peer may be reachable; it proves nothing.
// The caller leaves out overlay prefixes and addresses of this host's own.
type Candidate struct {
	Remote netip.AddrPort
	Origin Origin
	Near   bool // its network is connected here, or routed by other than the default route
	Ours   bool // peers see this node at that address too: both are behind one NAT
}

const (
	// leastPort keeps told addresses away from well-known services.
	leastPort = 1024
	// nearRounds is how many packets a private candidate gets: it may be a stranger's.
	nearRounds = 3
)

var (
	discardOnly = netip.MustParsePrefix("100::/64") // RFC 6666: virtual remotes
	carrierNAT  = netip.MustParsePrefix("100.64.0.0/10")
)

// said reports whether somebody says so: no packet came from the address.
func (o Origin) said() bool { return o >= Configured && o <= Found }

// told reports whether somebody else than the user says so.
func (o Origin) told() bool { return o > Configured && o <= Found }

// private reports whether an address means different hosts in different networks.
func private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || carrierNAT.Contains(a)
}

// reachable reports whether a candidate may be tried at all. Private addresses
// pass only inside a session, and only where this host has such a network.
func (c Candidate) reachable(inside bool) bool {
	a := c.Remote.Addr().Unmap()
	switch {
	case !a.IsValid(), c.Remote.Port() < leastPort, a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), discardOnly.Contains(a):
		return false
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240), a.IsLinkLocalUnicast():
		return false
	case private(a):
		return inside && c.Near
	}
	return true
}

// sift returns the candidates that may be tried, each address once, at most
// maxTold of them. What is not the config's counts as told.
func sift(all []Candidate, inside bool) (out []Candidate) {
	for _, c := range all {
		if !c.Origin.said() {
			c.Origin = Told
		}
		known := slices.ContainsFunc(out, func(x Candidate) bool { return x.Remote == c.Remote })
		if c.reachable(inside) && !known && len(out) < maxTold {
			out = append(out, c)
		}
	}
	return out
}

// remotesOf are the addresses of candidates.
func remotesOf(all []Candidate) (out []netip.AddrPort) {
	for _, c := range all {
		out = append(out, c.Remote)
	}
	return out
}
