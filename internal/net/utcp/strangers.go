package utcp

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

const (
	// maxStrangers bounds the accepted TCP connections whose peer has not proven
	// who it is; maxFromOne those of one source, an IPv4 address or a /56;
	// maxFromBlock those of one network, a /24 or a /48.
	maxStrangers = 256
	maxFromOne   = 16
	maxFromBlock = 64
	// maxReserved further places are for sources at which a peer has proven itself,
	// maxFromKnown of them for one.
	maxReserved  = 64
	maxFromKnown = 4
	// strangerGrace is how long a stranger that has begun keeps its place when
	// another one needs it: a handshake takes a few round trips.
	strangerGrace = time.Second
)

// strangers are the connections of unknown peers. When their places are taken one
// goes that has said nothing, or else one past its grace: a newcomer may be a peer,
// and whoever holds places in silence is not.
type strangers struct {
	remembers func(netip.Addr) bool // whether a peer has proven itself there
	more      func(netip.Addr) int  // places for the peers that are connected from there

	mu   sync.Mutex
	here []*guest // in the order of arrival
}

// A guest is a stranger in its place.
type guest struct {
	source, block netip.Prefix
	reserved      bool
	since         time.Time
	begun         bool
	end           func() // ends its connection; called without mu
}

// A bound is a set of places and how many it may have.
type bound struct {
	in   func(*guest) bool
	most int
}

// enter gives a connection from a place, and ends another one for it if need be;
// nil: there is none.
func (s *strangers) enter(a netip.Addr, now time.Time, end func()) *guest {
	g := &guest{source: netaddr.SourceOf(a), block: netaddr.BlockOf(a), since: now, end: end}
	reserved, out, ok := s.remembers(a), (*guest)(nil), false
	fromOne := min(maxFromOne+s.more(a), maxFromBlock)
	s.mu.Lock()
	if reserved {
		g.reserved = true
		out, ok = s.place(g, now, bound{g.sameSource, maxFromKnown}, bound{isReserved, maxReserved})
	}
	if !ok {
		g.reserved = false
		out, ok = s.place(g, now, bound{g.sameSource, fromOne}, bound{g.sameBlock, maxFromBlock}, bound{isOrdinary, maxStrangers})
	}
	s.mu.Unlock()
	if out != nil {
		out.end()
	}
	if !ok {
		return nil
	}
	return g
}

func (g *guest) sameSource(o *guest) bool { return o.reserved == g.reserved && o.source == g.source }
func (g *guest) sameBlock(o *guest) bool  { return !o.reserved && o.block == g.block }
func isReserved(o *guest) bool            { return o.reserved }
func isOrdinary(o *guest) bool            { return !o.reserved }

// place adds g if each bound, narrowest first, has room or somebody who can go;
// each lies in the next, so one is enough for all.
func (s *strangers) place(g *guest, now time.Time, bounds ...bound) (out *guest, ok bool) {
	for _, b := range bounds {
		if out != nil || s.count(b.in) < b.most {
			continue
		}
		if out = s.dispensable(b.in, g.block, now); out == nil {
			return nil, false
		}
	}
	if out != nil {
		s.remove(out)
	}
	s.here = append(s.here, g)
	return out, true
}

func (s *strangers) count(in func(*guest) bool) (n int) {
	for _, g := range s.here {
		if in(g) {
			n++
		}
	}
	return n
}

// dispensable is who may lose its place to somebody from a network: of those that
// can go, the oldest of the network that has the most places, and of no network that
// has less than the newcomer's. An attacker displaces itself before others, whatever
// it says. Who has begun is young for its grace, and goes all the same if its
// network would have more than the newcomer's without it.
func (s *strangers) dispensable(in func(*guest) bool, from netip.Prefix, now time.Time) *guest {
	of := make(map[netip.Prefix]int)
	for _, g := range s.here {
		if in(g) {
			of[g.block]++
		}
	}
	var silent, slow, young *guest
	heavier := func(best **guest, g *guest) {
		if *best == nil || of[g.block] > of[(*best).block] {
			*best = g
		}
	}
	for _, g := range s.here {
		switch n := of[g.block]; {
		case !in(g) || n < of[from]:
		case !g.begun:
			heavier(&silent, g)
		case now.Sub(g.since) > strangerGrace:
			heavier(&slow, g)
		case n > of[from]+1:
			heavier(&young, g)
		}
	}
	out := silent
	for _, g := range []*guest{slow, young} {
		if g != nil && (out == nil || of[g.block] > of[out.block]+1) {
			out = g // who is silent, from a network with less, may have just come
		}
	}
	return out
}

func (s *strangers) remove(g *guest) {
	if i := slices.Index(s.here, g); i >= 0 {
		s.here = slices.Delete(s.here, i, i+1)
	}
}

// begins notes that a stranger has sent its first message.
func (s *strangers) begins(g *guest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.begun = true
}

// leave gives a place back, if it has not been taken already.
func (s *strangers) leave(g *guest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(g)
}
