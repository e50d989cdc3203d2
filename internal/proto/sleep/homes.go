package sleep

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"lukechampine.com/blake3"
)

const (
	// MaxHomes is how many homes a node has.
	MaxHomes = 2
	// HomeLife is the lifetime that is asked for; a hub may give less.
	HomeLife = 30 * time.Minute

	homeEvery = 2 * time.Second // gap between questions without an answer
	homeTries = 3
	homePause = time.Minute // after so many, or a refusal
)

// A DID is the digest of a DID.
type DID [32]byte

// Rank says how a hub is preferred as a home of a node: the highest BLAKE3 hash of node
// and hub first. Everybody computes the same, so whoever looks for a node begins there.
func Rank(node, hub DID) uint64 {
	h := blake3.Sum256(append(node[:], hub[:]...))
	return binary.BigEndian.Uint64(h[:])
}

// Order sorts hubs by who is a node's home. The first MaxHomes that can are its homes.
func Order(node DID, hubs []DID) []DID {
	out := slices.Clone(hubs)
	slices.SortFunc(out, func(a, b DID) int { return cmp.Compare(Rank(node, b), Rank(node, a)) })
	return out
}

// A HomeAction sends HOME to a hub; Lifetime 0 gives the home up.
type HomeAction struct {
	Hub      DID
	Lifetime time.Duration
}

// Homes keeps a node at home at the first MaxHomes hubs of its list that take it.
type Homes struct {
	hubs []hub // in the order of preference
	out  []HomeAction
}

type hub struct {
	did    DID
	up     bool
	until  time.Time // at home until then; zero: not
	nextAt time.Time // next question
	tries  int       // questions without an answer
	paused time.Time // not asked before
}

// home reports whether the node is at home there.
func (h *hub) home(now time.Time) bool { return now.Before(h.until) }

// fit reports whether it is, or may become, one.
func (h *hub) fit(now time.Time) bool { return h.up && (h.home(now) || !now.Before(h.paused)) }

// Hubs sets the list, the preferred first.
func (x *Homes) Hubs(now time.Time, list []DID) []HomeAction {
	old := x.hubs
	x.hubs = nil
	for _, did := range list {
		h := hub{did: did}
		if i := slices.IndexFunc(old, func(o hub) bool { return o.did == did }); i >= 0 {
			h = old[i]
		}
		x.hubs = append(x.hubs, h)
	}
	for i := range old {
		if old[i].up && old[i].home(now) && !slices.Contains(list, old[i].did) {
			x.out = append(x.out, HomeAction{Hub: old[i].did})
		}
	}
	return x.pass(now)
}

// Up reports that a session with a hub has begun, or ended. With it the home there
// ends too.
func (x *Homes) Up(now time.Time, did DID, up bool) []HomeAction {
	if h := x.find(did); h != nil && h.up != up {
		*h = hub{did: did, up: up}
	}
	return x.pass(now)
}

// Back reports that the session with a hub is back from an outage. The hub may have ended
// it meanwhile, and the home with it; and what was asked in it is lost.
func (x *Homes) Back(now time.Time, did DID) []HomeAction {
	if h := x.find(did); h != nil && h.up {
		h.nextAt, h.tries, h.paused = time.Time{}, 0, time.Time{}
	}
	return x.pass(now)
}

// Answered reports HOME of a hub: for how long the node is at home there, 0 for not
// at all.
func (x *Homes) Answered(now time.Time, did DID, lifetime time.Duration) []HomeAction {
	h := x.find(did)
	if h == nil || !h.up {
		return x.pass(now)
	}
	h.tries = 0
	if h.until = now.Add(lifetime); lifetime > 0 {
		h.nextAt = now.Add(lifetime / 2)
	} else {
		h.paused = now.Add(homePause)
	}
	return x.pass(now)
}

// Tick reports that time has passed.
func (x *Homes) Tick(now time.Time) []HomeAction { return x.pass(now) }

// At lists the hubs at which the node is at home.
func (x *Homes) At(now time.Time) (at []DID) {
	for i := range x.hubs {
		if h := &x.hubs[i]; h.up && h.home(now) {
			at = append(at, h.did)
		}
	}
	return at
}

// Deadline is when Tick is due next; the zero time means never.
func (x *Homes) Deadline(now time.Time) (at time.Time) {
	sooner := func(t time.Time) {
		if t.After(now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for i := range x.hubs {
		if h := &x.hubs[i]; h.up {
			sooner(h.nextAt)
			sooner(h.paused)
			sooner(h.until)
		}
	}
	return at
}

// pass asks the hubs that are to be homes, and leaves the others once those have
// agreed.
func (x *Homes) pass(now time.Time) []HomeAction {
	wanted, agreed := 0, 0
	for i := range x.hubs {
		h := &x.hubs[i]
		switch {
		case !h.fit(now):
		case wanted < MaxHomes:
			wanted++
			x.ask(h, now)
			if h.home(now) {
				agreed++
			}
		case h.home(now) && agreed == MaxHomes:
			h.until = time.Time{}
			x.out = append(x.out, HomeAction{Hub: h.did})
		case h.home(now):
			x.ask(h, now) // until the preferred ones agree
		}
	}
	out := x.out
	x.out = nil
	return out
}

// ask sends a question that is due. A hub that gives no answer is paused.
func (x *Homes) ask(h *hub, now time.Time) {
	switch {
	case now.Before(h.nextAt):
	case h.tries == homeTries:
		h.tries, h.paused, h.nextAt = 0, now.Add(homePause), now.Add(homePause)
	default:
		h.tries++
		h.nextAt = now.Add(homeEvery)
		x.out = append(x.out, HomeAction{Hub: h.did, Lifetime: HomeLife})
	}
}

func (x *Homes) find(did DID) *hub {
	if i := slices.IndexFunc(x.hubs, func(h hub) bool { return h.did == did }); i >= 0 {
		return &x.hubs[i]
	}
	return nil
}
