package udp

import (
	"net/netip"
	"time"
)

const (
	// depthGap is between two packets of a search: routers limit what they answer.
	depthGap = time.Second
	// maxDepth is the most that is searched. A packet that goes farther may reach a
	// near peer, whose NAT it would spoil.
	maxDepth = 4
	// defaultDepth passes a home's router: what is used until more is known, and where
	// no router answers.
	defaultDepth = 2
)

// A depthSearch finds with which hop limit packets pass the NATs of this network and
// go no farther: packets with the limits 1, 2, 3 and 4 leave towards a host outside,
// and the routers at which they end say so, or are silent. A router with a public
// address is outside. So is a silent one behind one that has answered: inside, all of
// them mostly answer.
//
//	answers                                     depth
//	public                                      1
//	private, public     private, none           2
//	private, private, public                    3, behind a carrier
//	none, private, none                         3
//	private, private, private, anything         4
//	none, none, none, none                      2, the default
//
// It is a pure machine: the caller sends what tick says, passes on what comes, and
// calls tick again at the deadline.
type depthSearch struct {
	hops   int       // hop limit of the newest packet; 0: none has left
	sentAt time.Time // when it left
	inside bool      // a router inside has answered it
	before bool      // one has answered the packet before
	depth  int       // the result; 0: not known yet
}

// tick returns the hop limit of a packet that is to leave now; 0: none.
func (d *depthSearch) tick(now time.Time) (hops int) {
	if d.depth != 0 || d.hops > 0 && now.Before(d.deadline()) {
		return 0
	}
	switch {
	case d.hops > 0 && d.before && !d.inside:
		d.depth = d.hops
	case d.hops == maxDepth && d.inside:
		d.depth = maxDepth
	case d.hops == maxDepth:
		d.depth = defaultDepth
	default:
		d.hops++
		d.sentAt, d.before, d.inside = now, d.inside, false
		return d.hops
	}
	return 0
}

// exceeded reports that the newest packet has ended at a router.
func (d *depthSearch) exceeded(by netip.Addr) {
	switch {
	case d.hops == 0 || d.depth != 0 || !by.IsValid():
	case isPublic(by):
		d.depth = d.hops
	default:
		d.inside = true
	}
}

// deadline is when tick is due; the zero time: at once.
func (d *depthSearch) deadline() time.Time {
	if d.hops == 0 {
		return time.Time{}
	}
	return d.sentAt.Add(depthGap)
}

// carriers are the addresses of networks between homes and the Internet: RFC 6598
// and, of DS-Lite, RFC 6333.
var carriers = [...]netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24")}

// isPublic reports whether a router with this address is outside all NATs.
func isPublic(a netip.Addr) bool {
	for _, p := range carriers {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}
