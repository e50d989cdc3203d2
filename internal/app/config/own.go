package config

import (
	"fmt"
	"net/netip"

	"github.com/libertaria-project/l2tun/did"
)

const (
	maxOwnEndpoints = 4    // half of the places that a meeting has for candidates
	leastPort       = 1024 // peers dial no port below that they are told of (SPEC 6.13)
)

// ownEndpoints reads where this node is reached from outside.
func (r *reader) ownEndpoints(e entry) ([]netip.AddrPort, error) {
	list, err := items(r, "", e, parseOwnEndpoint)
	if err == nil && len(list) > maxOwnEndpoints {
		err = r.bad("", e, "at most %d endpoints of this node are told to peers", maxOwnEndpoints)
	}
	return values(list), err
}

// parseOwnEndpoint checks "ADDRESS:PORT". It is told to peers, who take no names and only
// what they may dial.
func parseOwnEndpoint(s string) (at netip.AddrPort, err error) {
	host, port, err := splitPort(s)
	if err != nil {
		return at, err
	}
	addr, err := netip.ParseAddr(host)
	switch addr = addr.Unmap(); {
	case err != nil:
		return at, fmt.Errorf("%q does not begin with an IP address; peers that are told of it look up no names", s)
	case !addr.IsGlobalUnicast() || addr.Zone() != "":
		return at, fmt.Errorf("no other host reaches this node at %s; give an address of the Internet or of the LAN", addr)
	case did.OverlayPrefix().Contains(addr):
		return at, fmt.Errorf("%s is an overlay address; give one at which the node is reached without l2tun", addr)
	case port < leastPort:
		return at, fmt.Errorf("peers dial no port below %d that they are told of; name it as an endpoint in their configs", leastPort)
	}
	return netip.AddrPortFrom(addr, port), nil
}
