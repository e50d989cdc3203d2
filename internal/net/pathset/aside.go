package pathset

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// asideFor is how long a path of a look stays apart from the session: the peer, to which
// its address is a candidate, has given it up by then.
const asideFor = 30 * time.Second

// An aside is the path by which this end has asked where it is seen in the family that the
// path in use is not of (SPEC 6.13, Second family). It is no path of the session: it would be
// kept alive and probed for good, and the peer, to which it would be proven, would move
// there with each question.
type aside struct {
	x     *Set
	fixed []netip.AddrPort // endpoints of the config
	path  link.Path        // nil: nothing was asked
	until time.Time        // it is apart
	asked int              // questions so far
}

// Aside is a path to an endpoint of the config in the family that the path in use is not of,
// for one question; nil: there is none that this host has a route to. Several take turns.
func (a *aside) Aside(now time.Time) link.Path {
	x := a.x
	if x.using == nil || x.using.via != 0 {
		return nil
	}
	var all []netip.AddrPort
	for _, r := range a.fixed {
		if r.Addr().Unmap().Is4() != x.using.Remote().Addr().Unmap().Is4() && a.routed(r) {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil
	}
	d := x.c.Network.Direct(all[a.asked%len(all)])
	if d == nil || x.idOf(d) != 0 {
		return nil
	}
	a.path, a.until, a.asked = d, now.Add(asideFor), a.asked+1
	return d
}

// routed reports whether nothing is known against sending to a remote.
func (a *aside) routed(r netip.AddrPort) bool {
	c, ok := a.x.c.Network.(link.Checker)
	return !ok || c.Check(r) == nil
}

// apart reports whether what comes by a path is none of the session's business.
func (a *aside) apart(p link.Path, now time.Time) bool {
	return p == a.path && p != nil && now.Before(a.until) && a.x.idOf(p) == 0
}
