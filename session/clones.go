package session

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// cloneMemory is how long an incarnation is remembered after it was met.
	cloneMemory = 10 * time.Minute
	// cloneReturns is how many returns to an earlier incarnation show that two
	// hosts run with one key. A late handshake of a node that has just restarted
	// may look like one.
	cloneReturns = 2
	// displacedLosses is how often within cloneMemory a peer that has not
	// restarted must have lost this session. Two handshakes that cross may look
	// like one loss.
	displacedLosses = 4
	// maxSightings bounds the incarnations that are remembered.
	maxSightings = 8
)

// incarnations are those of one peer that were met. A node draws a new one each
// time it starts and never takes an earlier one again, so one that comes back is
// another host with the same key that is still running.
type incarnations struct {
	now     uint64 // the one that the session is with; 0: not known yet
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

// meet notes a proven handshake and reports whether it was with another
// incarnation than the one before.
func (i *incarnations) meet(incarnation uint64, remote netip.AddrPort, now time.Time) (changed bool) {
	changed = i.now != 0 && i.now != incarnation
	n := len(i.seen)
	i.seen = slices.DeleteFunc(i.seen, func(s sighting) bool { return s.incarnation == incarnation })
	if changed && len(i.seen) < n {
		i.returns = append(recent(i.returns, now), now)
	}
	i.seen = slices.DeleteFunc(i.seen, func(s sighting) bool { return now.Sub(s.at) > cloneMemory })
	if len(i.seen) == maxSightings {
		i.seen = i.seen[1:]
	}
	i.seen = append(i.seen, sighting{incarnation, remote, now})
	i.now = incarnation
	return changed
}

// forgotten notes that the peer did not know the secret of this session any more
// although it is still the same incarnation.
func (i *incarnations) forgotten(incarnation uint64, now time.Time) {
	if i.now == incarnation {
		i.losses = append(recent(i.losses, now), now)
	}
}

// recent drops the times that are too long ago to count, and bounds the others.
func recent(times []time.Time, now time.Time) []time.Time {
	times = slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > cloneMemory })
	return times[max(0, len(times)-maxSightings+1):]
}

// duplicates are the addresses of the hosts that take turns as the peer; none
// while nothing shows that there are several.
func (i *incarnations) duplicates(now time.Time) (at []netip.AddrPort) {
	if i.returns = recent(i.returns, now); len(i.returns) < cloneReturns {
		return nil
	}
	for _, s := range i.seen {
		at = append(at, s.remote)
	}
	slices.SortFunc(at, netip.AddrPort.Compare)
	return at
}

// displaced reports whether another host seems to use this node's own key.
func (i *incarnations) displaced(now time.Time) bool {
	i.losses = recent(i.losses, now)
	return len(i.losses) >= displacedLosses
}

// Trouble is what a session knows to be wrong with this host or the peer's, which
// its state and reason do not say.
type Trouble struct {
	// Obstacles kept this host from trying endpoints when it last tried; none
	// once the session is established.
	Obstacles []Obstacle
	// Duplicates are where hosts are that take turns with the peer's key.
	Duplicates []netip.AddrPort
	// Displaced: the peer, which has not restarted, loses this session again and
	// again, as when another host uses this node's key.
	Displaced bool
}

func (s *Session) knownTrouble(now time.Time) Trouble {
	return Trouble{Obstacles: s.retry.obstacles, Duplicates: s.remote.duplicates(now), Displaced: s.remote.displaced(now)}
}
