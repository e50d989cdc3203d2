// Package incarnation remembers which incarnations of one peer have proven
// themselves, and tells from them that two hosts run with one key. A node draws a
// new incarnation each time it starts and never takes an earlier one again, so one
// that comes back is another host with the same key that is still running. It is
// pure: the time is an argument, and the caller serializes all calls.
package incarnation

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// memory is how long an incarnation is remembered after it was met.
	memory = 10 * time.Minute
	// clonedReturns is how many returns to an earlier incarnation show that two
	// hosts run with one key. A late handshake of a node that has just restarted
	// may look like one.
	clonedReturns = 2
	// displacedLosses is how often within memory a peer that has not
	// restarted must have lost this session. Two handshakes that cross may look
	// like one loss.
	displacedLosses = 4
	// maxSightings bounds the incarnations that are remembered.
	maxSightings = 8
)

// A History is the incarnations of one peer that were met. The zero value is that of
// a peer that was never met.
type History struct {
	current uint64 // the one that the session is with; 0: not known yet
	seen    []sighting
	returns []time.Time // to an incarnation that had been replaced, oldest first
	losses  []time.Time // of our session by a peer that has not restarted
}

// A sighting is an incarnation and where it was when it last proved itself.
type sighting struct {
	incarnation uint64
	remote      netip.AddrPort
	at          time.Time
}

// Current is the incarnation that the session is with; 0: not known yet.
func (h *History) Current() uint64 { return h.current }

// Recall begins with an incarnation that was met before, and nothing else; 0: none.
func (h *History) Recall(incarnation uint64) { *h = History{current: incarnation} }

// Plain reports whether Recall of Current loses nothing that still counts.
func (h *History) Plain(now time.Time) bool {
	others := slices.ContainsFunc(h.seen, func(s sighting) bool { return s.incarnation != h.current && now.Sub(s.at) <= memory })
	return !others && len(recent(h.returns, now)) == 0 && len(recent(h.losses, now)) == 0
}

// Clone is a copy that changes nothing of h.
func (h *History) Clone() History {
	return History{h.current, slices.Clone(h.seen), slices.Clone(h.returns), slices.Clone(h.losses)}
}

// Meet notes a proven handshake and reports whether it was with another
// incarnation than the one before. Of a remote that is no address (a circuit) the
// incarnation keeps the one where it was seen before.
func (h *History) Meet(incarnation uint64, remote netip.AddrPort, now time.Time) (changed bool) {
	changed = h.current != 0 && h.current != incarnation
	n := len(h.seen)
	if i := slices.IndexFunc(h.seen, func(s sighting) bool { return s.incarnation == incarnation }); i >= 0 && !remote.IsValid() {
		remote = h.seen[i].remote
	}
	h.seen = slices.DeleteFunc(h.seen, func(s sighting) bool { return s.incarnation == incarnation })
	if changed && len(h.seen) < n {
		h.returns = append(recent(h.returns, now), now)
	}
	h.seen = slices.DeleteFunc(h.seen, func(s sighting) bool { return now.Sub(s.at) > memory })
	if len(h.seen) == maxSightings {
		h.seen = h.seen[1:]
	}
	h.seen = append(h.seen, sighting{incarnation, remote, now})
	h.current = incarnation
	return changed
}

// Forgotten notes that the peer did not know the secret of this session any more
// although it is still the same incarnation.
func (h *History) Forgotten(incarnation uint64, now time.Time) {
	if h.current == incarnation {
		h.losses = append(recent(h.losses, now), now)
	}
}

// recent drops the times that are too long ago to count, and bounds the others.
func recent(times []time.Time, now time.Time) []time.Time {
	times = slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > memory })
	return times[max(0, len(times)-maxSightings+1):]
}

// Duplicates are the addresses of the hosts that take turns as the peer; none
// while nothing shows that there are several.
func (h *History) Duplicates(now time.Time) (at []netip.AddrPort) {
	if h.returns = recent(h.returns, now); len(h.returns) < clonedReturns {
		return nil
	}
	at = []netip.AddrPort{} // that there are several is known also where none has an address
	for _, s := range h.seen {
		if s.remote.IsValid() {
			at = append(at, s.remote)
		}
	}
	slices.SortFunc(at, netip.AddrPort.Compare)
	return slices.Compact(at) // a host that restarted was seen as two
}

// Displaced reports whether another host seems to use this node's own key.
func (h *History) Displaced(now time.Time) bool {
	h.losses = recent(h.losses, now)
	return len(h.losses) >= displacedLosses
}
