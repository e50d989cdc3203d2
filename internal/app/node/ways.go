package node

import (
	"context"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/routing"
)

const (
	// waysGap is the least time between two looks at the ways to the peers.
	waysGap = 100 * time.Millisecond
	// waysShare bounds what they cost: a look that takes a millisecond is followed by
	// none for fifty.
	waysShare = 50
)

// ways knows how this host sends to each peer, so that changes of the host which
// do not concern a peer (containers that come and go, routes of others) cost it no
// probes and end no back-off. One goroutine uses it.
type ways struct {
	to   func(netip.Addr) routing.Way
	pass func()
	last map[did.DID]map[netip.Addr]routing.Way

	looked time.Time
	gap    time.Duration
}

func newWays(k *routing.Ways) *ways {
	return &ways{to: k.To, pass: k.Pass, last: make(map[did.DID]map[netip.Addr]routing.Way)}
}

// A destination is a peer and where packets to it go, or may go.
type destination struct {
	peer  did.DID
	addrs []netip.Addr
	named bool // it has endpoints that are names
}

// elsewhere are two addresses that stand for where a name may lead. They are
// looked up, and never sent to.
func elsewhere() []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte{1, 1, 1, 1}), netip.AddrFrom16([16]byte{0x20, 0, 15: 1})}
}

// wait is how long to wait with the next look.
func (w *ways) wait(now time.Time) time.Duration { return max(0, w.looked.Add(w.gap).Sub(now)) }

// changed looks at all ways, and returns the peers to whom one is another than
// before. An address that was in use by no peer at the last look counts as changed:
// it may have been reached another way until now. The first look tells of nobody.
func (w *ways) changed(all []destination, now time.Time) (peers []did.DID) {
	w.pass()
	known := make(map[netip.Addr]routing.Way) // many peers may be behind one address
	last := make(map[did.DID]map[netip.Addr]routing.Way, len(all))
	for _, d := range all {
		if d.named {
			d.addrs = append(d.addrs, elsewhere()...)
		}
		before, is := w.last[d.peer], make(map[netip.Addr]routing.Way, len(d.addrs))
		other := false
		for _, a := range d.addrs {
			way, asked := known[a]
			if !asked {
				way = w.to(a)
				known[a] = way
			}
			is[a] = way
			if was, had := before[a]; !had || was != way {
				other = !w.looked.IsZero()
			}
		}
		if last[d.peer] = is; other {
			peers = append(peers, d.peer)
		}
	}
	w.last = last
	w.looked, w.gap = now, max(waysGap, waysShare*time.Since(now))
	return peers
}

// destinations are all peers, with the addresses in use or last heard from, and
// those of their endpoints.
func (n *node) destinations(ctx context.Context) (all []destination) {
	for _, s := range n.manager.Sessions() {
		d := destination{peer: s.DID()}
		if at := s.Status().Endpoint; at.IsValid() {
			d.addrs = append(d.addrs, at.Addr())
		}
		if doc, err := n.where.Resolve(ctx, d.peer); err == nil {
			for _, e := range doc.Endpoints {
				if at, err := netip.ParseAddrPort(e); err == nil {
					d.addrs = append(d.addrs, at.Addr())
				} else {
					d.named = true
				}
			}
		}
		all = append(all, d)
	}
	return all
}

// lookAtWays tells the sessions whose way is another now.
func (n *node) lookAtWays(ctx context.Context, w *ways) {
	if peers := w.changed(n.destinations(ctx), time.Now()); len(peers) > 0 {
		n.log.Debug("this host's way to peers has changed", "peers", len(peers))
		n.manager.NetworkChanged(peers...)
	}
}
