package node

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/routing"
)

const (
	// nextHopGap is the minimum interval between two look-ups of all peers.
	nextHopGap = 100 * time.Millisecond
	// nextHopShare bounds their cost: a look-up that takes a millisecond of CPU time is
	// followed by none for fifty.
	nextHopShare = 50
)

// nextHops are this host's routes to each peer, so that changes of the host which do
// not concern a peer (containers that start and end, routes of others) cost it no
// probes and end no back-off. One goroutine uses it.
type nextHops struct {
	use *applier
	log *slog.Logger

	to   func(netip.Addr) routing.NextHop
	pass func()
	last map[did.DID]map[netip.Addr]routing.NextHop

	looked time.Time
	gap    time.Duration
}

func newNextHops(k *routing.NextHops, use *applier, log *slog.Logger) *nextHops {
	return &nextHops{use: use, log: log, to: k.To, pass: k.Pass, last: make(map[did.DID]map[netip.Addr]routing.NextHop)}
}

// A destination is a peer and where packets to it go, or may go.
type destination struct {
	peer  did.DID
	addrs []netip.Addr
	named bool // it has endpoints that are names
}

// wait is the time until the next look-up.
func (w *nextHops) wait(now time.Time) time.Duration { return max(0, w.looked.Add(w.gap).Sub(now)) }

// changed looks up all routes and returns the peers with a changed one. An address
// that no peer used at the last look-up counts as changed: its route until now is
// unknown. The first look-up returns none.
func (w *nextHops) changed(all []destination, now time.Time) (peers []did.DID) {
	took := cost(func() { peers = w.lookUp(all) })
	w.looked, w.gap = now, max(nextHopGap, nextHopShare*took)
	return peers
}

func (w *nextHops) lookUp(all []destination) (peers []did.DID) {
	w.pass()
	known := make(map[netip.Addr]routing.NextHop) // many peers may be behind one address
	last := make(map[did.DID]map[netip.Addr]routing.NextHop)
	for _, d := range all {
		if d.named {
			d.addrs = append(d.addrs, routing.Far()...) // they stand for the targets of the name
		}
		if len(d.addrs) == 0 { // most of many peers: nothing leads to them
			continue
		}
		before, is := w.last[d.peer], make(map[netip.Addr]routing.NextHop, len(d.addrs))
		other := false
		for _, a := range d.addrs {
			hop, asked := known[a]
			if !asked {
				hop = w.to(a)
				known[a] = hop
			}
			is[a] = hop
			if was, had := before[a]; !had || was != hop {
				other = !w.looked.IsZero()
			}
		}
		if last[d.peer] = is; other {
			peers = append(peers, d.peer)
		}
	}
	w.last = last
	return peers
}

// destinations are all peers, with the addresses in use or last seen, and those of
// their endpoints.
func (w *nextHops) destinations(ctx context.Context) (all []destination) {
	for _, s := range w.use.manager.Sessions() {
		d := destination{peer: s.DID()}
		if at := s.Status().Endpoint; at.IsValid() {
			d.addrs = append(d.addrs, at.Addr())
		}
		if doc, err := w.use.where.Resolve(ctx, d.peer); err == nil {
			for _, e := range doc.Endpoints {
				if at, err := netip.ParseAddrPort(e); err == nil {
					d.addrs = append(d.addrs, at.Addr())
				} else {
					d.named = true
				}
			}
		}
		if len(d.addrs) > 0 || d.named {
			all = append(all, d)
		}
	}
	return all
}

// check notifies the sessions whose route has changed.
func (w *nextHops) check(ctx context.Context) {
	if peers := w.changed(w.destinations(ctx), time.Now()); len(peers) > 0 {
		w.log.Debug("routes to peers changed", "peers", len(peers))
		w.use.manager.NetworkChanged(peers...)
	}
}
