package discovery

import "slices"

// freshRounds is how often everybody who is wanted is asked for on a segment that
// is new: its address may take a second or two to be usable.
const freshRounds = 4

// fresh are the segments on which this host was not before, with how many rounds
// they have left. Others are not asked again because of them: containers come and
// go, and the LAN stays as it is.
type fresh map[segment]int

// note takes the segments that are new.
func (f *fresh) note(before, now []segment) {
	for _, s := range now {
		if !slices.Contains(before, s) {
			if *f == nil {
				*f = make(fresh)
			}
			(*f)[s] = freshRounds
		}
	}
	for s := range *f {
		if slices.Contains(before, s) && !slices.Contains(now, s) {
			delete(*f, s)
		}
	}
}

// age takes one round from each.
func (f fresh) age() {
	for s, left := range f {
		if f[s] = left - 1; left <= 1 {
			delete(f, s)
		}
	}
}
