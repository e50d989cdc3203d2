package network

import (
	"bytes"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// Bounds of what a State keeps.
const (
	maxHistory  = 64            // hashes of heads that were held
	maxPerAdmin = 64            // removals of one signer that none of them includes
	maxRemovals = 2 * MaxBundle // bytes of them
)

// A State is one network as a node knows it (spec/network.md 10.5). Its methods are for one
// goroutine.
type State struct {
	id       Hash
	head     *heldHead
	links    []*heldHead // heads that changed the admins, head 1 first: who is behind is led along them
	history  []mark      // of heads that were held, oldest first
	rosters  map[did.DID]*slot
	removals map[did.DID]*removed
	fork     *mark // a head beside the one held, until a higher one is taken
	forkCode Code
	contact  contact
	taken    *View // of all that was taken
	view     *View // of what the owner has saved
}

// A mark is a serial and the document that had it.
type mark struct {
	serial uint64
	hash   Hash
}

// A heldHead is a head with the bundle that it came in.
type heldHead struct {
	*Head
	bundle []byte
	hash   Hash
}

func (h *heldHead) mark() mark { return mark{h.Serial, h.hash} }

// A slot is what is known of an issuer's rosters. The mark stays when the roster goes.
type slot struct {
	mark
	roster *Roster // nil: none that counts
	bundle []byte
	fork   *mark // another roster of this serial
}

// New is a network of which its id is known and nothing else.
func New(id Hash) *State {
	s := &State{id: id, rosters: make(map[did.DID]*slot), removals: make(map[did.DID]*removed)}
	s.taken = emptyView()
	s.view = s.taken
	return s
}

// Clone is a copy that changes apart from s: whoever saves a document before it is used
// takes it into a copy first. Documents and Views are shared, for they never change.
func (s *State) Clone() *State {
	c := *s
	c.links, c.history = slices.Clone(s.links), slices.Clone(s.history)
	c.rosters = make(map[did.DID]*slot, len(s.rosters))
	for by, x := range s.rosters {
		own := *x
		c.rosters[by] = &own
	}
	c.removals = make(map[did.DID]*removed, len(s.removals))
	for by, x := range s.removals {
		c.removals[by] = x.clone()
	}
	return &c
}

// ID is the network's id.
func (s *State) ID() Hash { return s.id }

// View is the network as it was last saved. The caller must not change it.
func (s *State) View() *View { return s.view }

// Saved says that what AppendTo wrote after the last Take is on disk. Only then View shows
// it: a node that restarts must not know less than it has acted on.
func (s *State) Saved() { s.view = s.taken }

// A Change is what a document brought about.
type Change struct {
	Known                   bool // it was held already: nothing to save
	Added, Removed, Altered []did.DID
}

// Take takes a bundle. now is the clock. A document that is not taken is a Refusal and
// changes at most what Findings shows. The order is heads, rosters, removals: a document
// is judged by the head that is held.
func (s *State) Take(bundle []byte, now time.Time) (Change, error) {
	if s.holds(bundle) {
		s.contact.heard(now)
		return Change{Known: true}, nil
	}
	n, err := Parse(bundle)
	if err != nil {
		return Change{}, err
	}
	s.contact.heard(now)
	known, err := s.take(n, now)
	if err != nil || known {
		return Change{Known: known}, err
	}
	before := s.taken
	s.taken = judge(s.head, s.rosters, s.removals)
	return differ(before, s.taken), nil
}

// holds reports whether a bundle is held in the same bytes, and counts: nothing of it is
// checked again.
func (s *State) holds(bundle []byte) bool {
	if s.head == nil || bytes.Equal(s.head.bundle, bundle) {
		return s.head != nil
	}
	return slices.ContainsFunc(s.Documents()[len(s.Heads(0)):], func(d []byte) bool { return bytes.Equal(d, bundle) })
}

// take judges a bundle by the first line of its text.
func (s *State) take(n *Bundle, now time.Time) (known bool, err error) {
	switch first(n.Text) {
	case firstOfHead:
		h, err := ParseHead(n.Text)
		if err != nil {
			return false, err
		}
		return s.takeHead(n, h)
	case firstOfRoster:
		return s.takeRoster(n)
	case firstOfRemovals:
		r, err := ParseRemovals(n.Text)
		if err != nil {
			return false, err
		}
		return s.takeRemovals(n, r, now)
	}
	return false, refuseAt(1, Syntax, "it is no document of a network")
}

func first(text string) string {
	for i, c := range []byte(text) {
		if c == '\n' {
			return text[:i]
		}
	}
	return text
}

// belongs refuses a document of another network, and one before head 1.
func (s *State) belongs(id Hash) error {
	if id != s.id {
		return refuse(OtherNetwork, "it is of network %s", id)
	}
	if s.head == nil {
		return refuse(NoHead, "head 1 is not here yet")
	}
	return nil
}

// Heard says that the node was in touch with the network now, and heard of nothing new.
func (s *State) Heard(now time.Time) { s.contact.heard(now) }

// A contact is when the node was in touch with the network.
type contact struct {
	last     time.Time // whole seconds; zero: never
	from, to time.Time // the last absence
}

// heard begins or ends an absence: a time of more than a minute without contact. A clock
// that went back ends it too, and what it said before is forgotten.
func (c *contact) heard(now time.Time) {
	now = now.UTC().Truncate(time.Second)
	if c.last.Sub(now) > removalWindow {
		*c = contact{now, now, now}
	}
	if c.last.IsZero() || now.Sub(c.last) > removalWindow {
		c.from, c.to = c.last, now
	}
	if now.After(c.last) {
		c.last = now
	}
}

// absent reports whether a date lies in the last absence.
func (c *contact) absent(at time.Time) bool { return at.After(c.from) && !at.After(c.to) }

// effective is the time by which a removal counts against the limit: that of its arrival,
// or its own date if the node was away then. Who was away takes what happened meanwhile.
func (c *contact) effective(l Removal, now time.Time) time.Time {
	if c.absent(l.At) {
		return l.At
	}
	return now.UTC().Truncate(time.Second)
}
