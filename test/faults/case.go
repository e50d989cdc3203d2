package faults

import (
	"fmt"
	"strings"
)

// A Case is one entry of the catalogue. Exactly one of By, Cut and Cannot is
// set.
type Case struct {
	ID      string
	Promise string // what is held, with the fault in front of it

	By   []Test // all of them must pass
	Race bool   // they run under the race detector
	CPU  bool   // it promises a share of a processor: not taken from a run under that detector

	// Rate says how the default run is shorter than the catalogue's text, which
	// the full run is not.
	Rate string
	// Instead says why the promise is another one than the catalogue's: that
	// one's measured figure, and the physical reason.
	Instead string

	Cut    string // the design has cut what the case names: which decision
	Cannot string // what the kernel lacks
}

// A Test is a Go test by the folder of its package and its name.
type Test struct {
	Pkg, Name string
	Slow      bool // not in the quick run
	race      bool // under the race detector
}

func (t Test) String() string { return t.Pkg + " " + t.Name }

// key is a test of the case as runs know it.
func (c Case) key(t Test) Test {
	t.Slow, t.race = false, c.Race
	return t
}

// by names tests: "session TestRotation", several separated by commas. A name
// without a package is of the package before it.
func by(list string) (tests []Test) { return named(list, false) }

// slowly is by, for tests that the quick run leaves out.
func slowly(list string) []Test { return named(list, true) }

func named(list string, slow bool) (tests []Test) {
	pkg := ""
	for part := range strings.SplitSeq(list, ",") {
		f := strings.Fields(part)
		switch {
		case len(f) == 2:
			pkg = f[0]
		case len(f) != 1 || pkg == "":
			panic(fmt.Sprintf("faults: internal error: %q names no test", part))
		}
		tests = append(tests, Test{Pkg: pkg, Name: f[len(f)-1], Slow: slow})
	}
	return tests
}

// Quick reports whether a case belongs to the quick run: all of its tests do.
func (c Case) Quick() bool {
	for _, t := range c.By {
		if t.Slow {
			return false
		}
	}
	return len(c.By) > 0
}

// Catalogue returns all cases in the catalogue's order.
func Catalogue() (all []Case) {
	for _, group := range [][]Case{rekey(), outage(), fallback(), lossy(), hostile(), framing(), inside(), lan(), resources(), scale(), security(), reach()} {
		all = append(all, group...)
	}
	return all
}
