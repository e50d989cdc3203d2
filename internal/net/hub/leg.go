package hub

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A leg is the path by which the hub sends to a peer now. It does not change; another
// path is another leg.
type leg struct {
	path    link.Path
	forward link.Forwarder // the same; nil: it carries no circuit datagrams
	remote  netip.AddrPort
	over    wire.Link
}

// newLeg makes the leg of a path; nil for none.
func newLeg(p link.Path) *leg {
	if p == nil {
		return nil
	}
	f, _ := p.(link.Forwarder)
	return &leg{path: p, forward: f, remote: p.Remote(), over: p.Kind().Link}
}

// takes reports whether what came by a path came from the leg's remote.
func (l *leg) takes(p link.Path) bool {
	return l.path == p || l.remote == p.Remote() && l.over == p.Kind().Link
}

// same reports whether two legs lead to one place, so that a label may pass both.
func (l *leg) same(m *leg) bool { return l.remote == m.remote && l.path.Kind() == m.path.Kind() }

// sees reports whether an end is at each address of IPv4 at which it says that it is
// seen, and at one at least: what is sprayed goes to no other.
func (l *leg) sees(c *wire.Candidates) (some bool) {
	for _, x := range c.All() {
		if x.Kind != wire.CandidateSeen || !x.Addr.Addr().Is4() {
			continue
		}
		if l == nil || l.remote.Addr().Unmap() != x.Addr.Addr() {
			return false
		}
		some = true
	}
	return some
}
