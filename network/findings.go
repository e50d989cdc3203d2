package network

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// When a date is shown. Nothing stops by any of them.
const (
	expiresSoon = 7 * 24 * time.Hour
	oldAfter    = 7 * 24 * time.Hour
	clockSlack  = 24 * time.Hour
)

// Time is the time by which members expire: the clock, but no earlier than a document was
// issued. A board without a clock knows no better, one with a wrong clock no worse.
func (v *View) Time(now time.Time) time.Time {
	if now.Before(v.newest) {
		return v.newest
	}
	return now
}

// Findings are what people should see, of all that was taken.
func (s *State) Findings(now time.Time) (out []Finding) {
	add := func(c Code, d did.DID, format string, args ...any) {
		out = append(out, Finding{c, d, fmt.Sprintf(format, args...)})
	}
	if s.fork != nil {
		add(s.forkCode, did.DID{}, "head %d %s is signed beside the one held; it ends with the next head that the admins sign", s.fork.serial, s.fork.hash)
	}
	for _, by := range slices.SortedFunc(maps.Keys(s.rosters), byText) {
		if x := s.rosters[by]; x.fork != nil {
			add(RosterFork, by, "%v has signed two rosters %d; it ends with the next one", by, x.serial)
		}
	}
	waiting := s.Waiting()
	for _, by := range slices.SortedFunc(maps.Keys(waiting), byText) {
		add(RemovalsWait, by, "%d removals by %v wait: more than %d in a minute; confirm them, or take its office", len(waiting[by]), by, removalLimit)
	}
	if v := s.taken; v.head != nil {
		if v.newest.Sub(now) > clockSlack {
			add(ClockDiffers, did.DID{}, "a document is issued at %s and the clock says %s", v.newest.Format(dateForm), now.UTC().Format(dateForm))
		}
		if last := s.contact.last; now.Sub(last) > oldAfter {
			add(OldDocuments, did.DID{}, "nothing is heard of the network since %s", last.Format(dateForm))
		}
		out = append(out, v.findings...)
		if v.unshown > 0 {
			add(TooMany, did.DID{}, "%d more findings about lines are not shown", v.unshown)
		}
		out = append(out, v.expiring(now)...)
	}
	return out
}

// expiring are the members whose end is near or past.
func (v *View) expiring(now time.Time) (out []Finding) {
	now = v.Time(now)
	for m := range v.Members() {
		switch {
		case m.Until.IsZero() || m.Until.Sub(now) > expiresSoon:
			continue
		case m.Expired(now):
			out = append(out, Finding{MemberExpired, m.DID, fmt.Sprintf("%s has ended at %s; extend or remove it", m.Name, m.Until.Format(dateForm))})
		default:
			out = append(out, Finding{MemberExpires, m.DID, fmt.Sprintf("%s ends at %s", m.Name, m.Until.Format(dateForm))})
		}
		if len(out) == maxFindings {
			break
		}
	}
	return out
}
