package faults

import "slices"

// unshown are the cases of which not all tests are written, and M4, whose test
// finds a full handshake more than before in some runs. They are not ok, and
// their lines say why; a test holds that the list is not longer than it must be.
func unshown() []string {
	return []string{
		"R4", "R9", "R12", "T7", "I9", "I10", "I11", "I12", "I13", "C1", "C3", "C4", "C5", "C6", "C8", "C9", "C10", "C14",
		"M1", "M2", "M4", "M5", "M6", "M7",
	}
}

// Catalogue returns all cases in the catalogue's order.
func Catalogue() []Case {
	all := written()
	for i, c := range all {
		if slices.Contains(unshown(), c.ID) {
			all[i].By, all[i].Open = nil, true
		}
	}
	return all
}
