package datapath

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

const (
	maxNotes     = 64 // addresses that are remembered
	maxPeerNotes = 4  // of them for one reason and peer
)

// A Note says that packets were dropped for where they came from or went.
type Note struct {
	Reason   link.Drop // DropNoRoute, DropBadSource, DropBadDestination or one of the filter
	Peer     *Peer     // that sent them; nil: this host
	Addr     netip.Addr
	Protocol uint8 // of what the filter dropped, with the port that it went to
	Port     uint16
	Packets  uint64
	Last     time.Time
}

// is reports whether two notes are about the same.
func (n *Note) is(o *Note) bool {
	return n.Peer == o.Peer && n.Reason == o.Reason && n.Addr == o.Addr && n.Protocol == o.Protocol && n.Port == o.Port
}

// concerns reports whether two notes are of one peer and reason; all of the filter are one.
func (n *Note) concerns(o *Note) bool {
	return n.Peer == o.Peer && (n.Reason == o.Reason || n.Reason.OfFilter() && o.Reason.OfFilter())
}

// notes remember which addresses packets were dropped for, so that health can
// name them: a few for each peer, the newest, so that no peer pushes out what is
// known of another. Nothing is allocated once the table is full.
type notes struct {
	mu  sync.Mutex
	all []Note
}

// note counts a packet about which fresh says everything but how many and when.
func (n *notes) note(fresh Note, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	oldest, mine, oldestMine := -1, 0, -1
	for i := range n.all {
		o := &n.all[i]
		if o.is(&fresh) {
			o.Packets++
			o.Last = now
			return
		}
		if oldest < 0 || o.Last.Before(n.all[oldest].Last) {
			oldest = i
		}
		if o.concerns(&fresh) {
			mine++
			if oldestMine < 0 || o.Last.Before(n.all[oldestMine].Last) {
				oldestMine = i
			}
		}
	}
	fresh.Packets, fresh.Last = 1, now
	switch {
	case mine == maxPeerNotes:
		n.all[oldestMine] = fresh
	case len(n.all) < maxNotes:
		n.all = append(n.all, fresh)
	default:
		n.all[oldest] = fresh
	}
}

func (n *notes) forget(p *Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = slices.DeleteFunc(n.all, func(o Note) bool { return o.Peer == p })
}

// since are the notes since a time, the newest first.
func (n *notes) since(t time.Time) []Note {
	n.mu.Lock()
	defer n.mu.Unlock()
	recent := slices.DeleteFunc(slices.Clone(n.all), func(o Note) bool { return o.Last.Before(t) })
	slices.SortStableFunc(recent, func(a, b Note) int { return b.Last.Compare(a.Last) })
	return recent
}
