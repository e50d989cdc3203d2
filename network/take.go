package network

import (
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// takeHead is spec/network.md 10.5 "Heads".
func (s *State) takeHead(n *Bundle, h *Head) (known bool, err error) {
	d := &heldHead{Head: h, bundle: n.Append(nil), hash: TextHash(n.Text)}
	switch {
	case h.Serial == 1 && ID(n.Text) != s.id:
		return false, refuse(OtherNetwork, "it is head 1 of network %s", ID(n.Text))
	case h.Serial > 1 && h.Network != s.id:
		return false, refuse(OtherNetwork, "it is of network %s", h.Network)
	case s.head == nil && h.Serial > 1:
		return false, missed(1, h.Serial-1)
	case s.head == nil && !h.quorum(n):
		return false, notMet(h, h)
	case s.head == nil:
		s.hold(d)
		return false, nil
	case d.mark() == s.head.mark():
		return true, nil
	case h.Serial <= s.head.Serial:
		return false, s.late(n, d)
	case s.head.quorum(n):
		s.hold(d)
		return false, nil
	case h.Serial > s.head.Serial+1 && h.quorum(n):
		return false, missed(s.head.Serial+1, h.Serial-1)
	}
	return false, notMet(h, s.head.Head)
}

func missed(first, last uint64) error {
	return &Refusal{Code: MissedHeads, Text: "admins of a head between have signed it", First: first, Last: last}
}

func notMet(h, by *Head) error {
	return refuse(ThresholdNotMet, "fewer than %d of the admins of head %d have signed head %d", by.Threshold, by.Serial, h.Serial)
}

// late judges a head whose serial is used up: an old one, a fork, or one by an admin that
// has lost what it knew, which is issued later than the one held. A fork refuses nobody and
// freezes nothing: it is shown, and ends with the next serial.
func (s *State) late(n *Bundle, d *heldHead) error {
	switch {
	case slices.Contains(s.history, d.mark()):
		return refuse(Rollback, "head %d is held", s.head.Serial)
	case d.Serial == s.head.Serial && (s.head.quorum(n) || s.approvers().quorum(n)):
		return s.forked(NetworkFork, d, "there are two heads %d; the one held first stays", d.Serial)
	case s.head.quorum(n) && d.Issued.After(s.head.Issued):
		return s.forked(RestoredAdmin, d, "a second head %d is signed where head %d is held: an admin has lost what came between", d.Serial, s.head.Serial)
	case d.Serial == s.head.Serial:
		return notMet(d.Head, s.head.Head)
	}
	return refuse(Rollback, "head %d is held", s.head.Serial)
}

func (s *State) forked(c Code, d *heldHead, format string, args ...any) error {
	m := d.mark()
	s.fork, s.forkCode = &m, c
	return refuse(c, format, args...)
}

// approvers is the head whose admins have signed the one held.
func (s *State) approvers() *Head {
	last := len(s.links) - 1
	if last > 0 && s.links[last] == s.head {
		last--
	}
	return s.links[last].Head
}

// hold puts a head in place of the one held. What those have said who have no office in it
// goes.
func (s *State) hold(d *heldHead) {
	if s.head == nil || s.head.Threshold != d.Threshold || !slices.Equal(s.head.Admins, d.Admins) {
		s.links = append(s.links, d)
	}
	s.head, s.fork, s.forkCode = d, nil, ""
	s.history = append(s.history, d.mark())
	s.history = s.history[max(0, len(s.history)-maxHistory):]
	for by, slot := range s.rosters {
		if !slices.Contains(d.issuerDIDs(), by) {
			slot.roster, slot.bundle, slot.fork = nil, nil, nil
		}
	}
	for by := range s.removals {
		if !s.entitled(by) {
			delete(s.removals, by)
		}
	}
}

// Trust takes a head because a person has compared its hash: the way out of a fork of the
// admins themselves. It has to be as high as the one held and signed by its own threshold.
func (s *State) Trust(bundle []byte, hash Hash) (Change, error) {
	n, err := Parse(bundle)
	if err != nil {
		return Change{}, err
	}
	h, err := ParseHead(n.Text)
	if err != nil {
		return Change{}, err
	}
	d := &heldHead{Head: h, bundle: n.Append(nil), hash: TextHash(n.Text)}
	switch {
	case d.hash != hash:
		return Change{}, refuse(OtherHash, "its hash is %s", d.hash)
	case h.Serial == 1 && ID(n.Text) != s.id || h.Serial > 1 && h.Network != s.id:
		return Change{}, refuse(OtherNetwork, "it is of another network")
	case s.head != nil && d.mark() == s.head.mark():
		return Change{Known: true}, nil
	case s.head != nil && h.Serial < s.head.Serial:
		return Change{}, refuse(Rollback, "head %d is held", s.head.Serial)
	case !h.quorum(n):
		return Change{}, notMet(h, h)
	}
	before := s.taken
	if s.head != nil && s.links[len(s.links)-1] == s.head && h.Serial == s.head.Serial {
		s.links = s.links[:len(s.links)-1] // of the other branch
	}
	s.hold(d)
	s.taken = judge(s.head, s.rosters, s.removals)
	return differ(before, s.taken), nil
}

// admits judges who has signed a roster, before its thousands of lines are read.
func (s *State) admits(n *Bundle) error {
	head := read(n.Text, firstOfRoster)
	r := head.rosterHead()
	if head.err != nil {
		return head.err
	}
	if err := s.belongs(r.Network); err != nil {
		return err
	}
	switch {
	case s.taken.succeeded(r.Issuer):
		return refuse(Succeeded, "%v has a successor", r.Issuer)
	case !slices.Contains(s.head.issuerDIDs(), r.Issuer):
		return refuse(NotIssuer, "%v is no issuer in head %d", r.Issuer, s.head.Serial)
	case len(n.Signers) != 1 || !n.SignedBy(r.Issuer):
		return refuse(WrongSigner, "a roster is signed by its issuer alone")
	}
	return nil
}

// takeRoster is spec/network.md 10.5 "Rosters".
func (s *State) takeRoster(n *Bundle) (known bool, err error) {
	if err := s.admits(n); err != nil {
		return false, err
	}
	r, err := ParseRoster(n.Text)
	if err != nil {
		return false, err
	}
	m := mark{r.Serial, TextHash(n.Text)}
	held := s.rosters[r.Issuer]
	switch {
	case held != nil && held.mark == m && held.roster != nil:
		return true, nil
	case held != nil && r.Serial < held.serial:
		return false, refuse(Rollback, "roster %d of %v is known", held.serial, r.Issuer)
	case held != nil && r.Serial == held.serial && m != held.mark:
		held.fork = &m
		return false, refuse(RosterFork, "there are two rosters %d of %v; the one held first stays", r.Serial, r.Issuer)
	case s.taken.barred[r.Issuer]:
		return false, refuse(IssuerRemoved, "%v is removed: its roster stays as it is", r.Issuer)
	}
	s.rosters[r.Issuer] = &slot{mark: m, roster: r, bundle: n.Append(nil)}
	return false, nil
}

// takeRemovals is spec/network.md 10.5 "Removals".
func (s *State) takeRemovals(n *Bundle, r *Removals, now time.Time) (known bool, err error) {
	if err := s.belongs(r.Network); err != nil {
		return false, err
	}
	switch {
	case s.taken.succeeded(r.By):
		return false, refuse(Succeeded, "%v has a successor", r.By)
	case !s.entitled(r.By):
		return false, refuse(NotEntitled, "%v is neither an admin nor an issuer in head %d", r.By, s.head.Serial)
	case len(n.Signers) != 1 || !n.SignedBy(r.By):
		return false, refuse(WrongSigner, "removals are signed by who removes, alone")
	}
	x := s.removals[r.By]
	if x == nil {
		x = &removed{entries: make(map[did.DID]*entry)}
	}
	d := &removalsDoc{Removals: r, bundle: n.Append(nil), hash: TextHash(n.Text)}
	if x.includes(d) {
		return true, nil
	}
	if s.taken.barred[r.By] {
		return false, refuse(IssuerRemoved, "%v is removed", r.By)
	}
	if err := x.keep(d); err != nil {
		return false, err
	}
	s.removals[r.By] = x
	limited := slices.Contains(s.head.Admins, r.By)
	for _, l := range byDate(r.Lines) {
		x.enter(l, s.contact.effective(l, now), limited)
	}
	return false, nil
}

// entitled reports whether a DID may remove anybody by the head that is held.
func (s *State) entitled(by did.DID) bool {
	return slices.Contains(s.head.Admins, by) || slices.Contains(s.head.issuerDIDs(), by)
}

// Waiting are the removals that wait for a person, by who has signed them.
func (s *State) Waiting() map[did.DID][]Removal {
	out := make(map[did.DID][]Removal)
	for by, x := range s.removals {
		for _, e := range x.entries {
			if e.waiting != nil {
				out[by] = append(out[by], *e.waiting)
			}
		}
		slices.SortFunc(out[by], func(a, b Removal) int { return byText(a.DID, b.DID) })
	}
	return out
}

// Confirm puts what waits of one signer into effect, because a person has said so.
func (s *State) Confirm(by did.DID, now time.Time) Change {
	x := s.removals[by]
	if x == nil {
		return Change{Known: true}
	}
	done := false
	for _, e := range x.entries {
		if e.waiting != nil {
			x.effect(e, wider(*e.waiting, e.line), now.UTC().Truncate(time.Second))
			done = true
		}
	}
	if !done {
		return Change{Known: true}
	}
	before := s.taken
	s.taken = judge(s.head, s.rosters, s.removals)
	return differ(before, s.taken)
}
