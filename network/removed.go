package network

import (
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// An admin's removals take effect at most removalLimit in a removalWindow; more wait for a
// person. A stolen key can do no more harm before somebody looks.
const (
	removalLimit  = 10
	removalWindow = time.Minute
	maxTimes      = 1 << 14 // that are kept for the limit
)

// removed is what one signer has removed.
type removed struct {
	docs    []*removalsDoc
	entries map[did.DID]*entry
	times   []time.Time // when entries took effect, for the limit; ascending
}

type removalsDoc struct {
	*Removals
	bundle []byte
	hash   Hash
}

// An entry is the removal of one DID by one signer.
type entry struct {
	line    *Removal // in effect
	waiting *Removal // beyond the limit
}

// clone is a copy that changes apart from x.
func (x *removed) clone() *removed {
	c := &removed{docs: slices.Clone(x.docs), times: slices.Clone(x.times), entries: make(map[did.DID]*entry, len(x.entries))}
	for d, e := range x.entries {
		own := *e
		c.entries[d] = &own
	}
	return c
}

func byDate(lines []Removal) []Removal {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b Removal) int { return a.At.Compare(b.At) })
	return lines
}

// includes reports whether one document that is kept has each line of d.
func (x *removed) includes(d *removalsDoc) bool {
	return slices.ContainsFunc(x.docs, func(o *removalsDoc) bool { return subset(d.Lines, o.Lines) })
}

// keep keeps a document in place of those that it includes. Whoever signs all of his
// removals anew needs one place.
func (x *removed) keep(d *removalsDoc) error {
	rest := slices.DeleteFunc(slices.Clone(x.docs), func(o *removalsDoc) bool { return subset(o.Lines, d.Lines) })
	size := len(d.bundle)
	for _, o := range rest {
		size += len(o.bundle)
	}
	if len(rest) >= maxPerAdmin || size > maxRemovals {
		return refuse(TooMany, "%v has signed more than %d sets of removals, or %d bytes; one with all of them is taken", d.By, maxPerAdmin, maxRemovals)
	}
	x.docs = append(rest, d)
	slices.SortFunc(x.docs, func(a, b *removalsDoc) int { return slices.Compare(a.hash[:], b.hash[:]) })
	return nil
}

// subset reports whether each line of a is in b. Both ascend.
func subset(a, b []Removal) bool {
	if len(a) > len(b) {
		return false
	}
	lines := make(map[Removal]bool, len(b))
	for _, l := range b {
		lines[l] = true
	}
	return !slices.ContainsFunc(a, func(l Removal) bool { return !lines[l] })
}

// enter puts a line into effect, or lets it wait.
func (x *removed) enter(l Removal, at time.Time, limited bool) {
	e := x.entries[l.DID]
	if e == nil {
		e = new(entry)
		x.entries[l.DID] = e
	}
	switch l = wider(l, e.line); {
	case e.line != nil && l == *e.line:
	case limited && !x.free(at):
		l = wider(l, e.waiting)
		e.waiting = &l
	default:
		x.effect(e, l, at)
	}
}

// wider joins two removals of one DID: the later date, the longer reach.
func wider(l Removal, o *Removal) Removal {
	if o == nil {
		return l
	}
	if o.At.After(l.At) {
		l.At = o.At
	}
	if o.Until.IsZero() || !l.Until.IsZero() && o.Until.After(l.Until) {
		l.Until = o.Until
	}
	return l
}

func (x *removed) effect(e *entry, l Removal, at time.Time) {
	e.line = &l
	if e.waiting != nil && wider(l, e.waiting) == l {
		e.waiting = nil
	}
	i, _ := slices.BinarySearchFunc(x.times, at, time.Time.Compare)
	x.times = slices.Insert(x.times, i, at)
	x.times = x.times[max(0, len(x.times)-maxTimes):]
}

// free reports whether one more may take effect at a time.
func (x *removed) free(at time.Time) bool {
	i, _ := slices.BinarySearchFunc(x.times, at.Add(-removalWindow+time.Second), time.Time.Compare)
	j, _ := slices.BinarySearchFunc(x.times, at.Add(removalWindow), time.Time.Compare)
	return j-i < removalLimit
}
