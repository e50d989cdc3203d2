package paths

import (
	"net/netip"
	"slices"
)

// A talk is what an end has said and heard by a hub: frames name their meeting, and those of
// an older one count no more (SPEC 6.13).
type talk struct {
	asked    int         // by our newest MEET
	mine     []Candidate // that it names, also when it is repeated
	from     netip.Addr  // where it left
	invited  int         // by the peer's newest MEET
	theirs   []Candidate // that it names
	answered int         // by our newest MET
}

// talk is what this end has with a hub.
func (e *end) talk(h Hub) *talk {
	if e.talks[h] == nil {
		e.talks[h] = new(talk)
	}
	return e.talks[h]
}

// opens tells the porter what a meeting has opened.
func (e *end) opens(all []Candidate) {
	for _, c := range all {
		e.porter.opened[c.Remote] = e.c.now
	}
}

// opensTheirs opens what the caller has named, by whichever hub.
func (e *end) opensTheirs() {
	for _, k := range e.talks {
		e.opens(k.theirs)
	}
}

// names reports whether the caller has named a remote.
func (e *end) names(r netip.AddrPort) bool {
	for _, k := range e.talks {
		if slices.ContainsFunc(k.theirs, func(c Candidate) bool { return c.Remote == r }) {
			return true
		}
	}
	return false
}
