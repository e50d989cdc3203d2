package reach

import "math"

// A spray hits with the probability that ADR-046 computes, and is promised to be direct in
// time in 96 of 100.
const (
	sprayMisses  = 0.016 // computed
	sprayAllowed = 0.04  // promised
)

// A Trial is a sequential probability ratio test (Wald, 1945) of how often something
// fails: it goes on until either of two shares is much likelier than the other. It takes
// as many samples as that needs, and so no share in between is taken for granted.
type Trial struct {
	Good, Bad float64 // shares of failures: as computed, and as much as would break a promise
	Refused   float64 // probability of refusing what is as good as Good
	Taken     float64 // and of taking what is as bad as Bad

	N, Failed int
}

// SprayTrial is whether sprays are direct in time as often as is promised.
func SprayTrial() *Trial {
	return &Trial{Good: sprayMisses, Bad: sprayAllowed, Refused: 0.001, Taken: 0.05}
}

// A Verdict is what a trial has come to.
type Verdict int

const (
	Open    Verdict = iota // more samples are needed
	Kept                   // the share of failures is not as bad as Bad
	Refuted                // it is not as good as Good
)

func (v Verdict) String() string { return [...]string{"open", "kept", "refuted"}[v] }

// Add takes a sample.
func (t *Trial) Add(failed bool) {
	if t.N++; failed {
		t.Failed++
	}
}

// Verdict judges the samples until now.
func (t *Trial) Verdict() Verdict {
	failed, passed := float64(t.Failed), float64(t.N-t.Failed)
	evidence := failed*math.Log(t.Bad/t.Good) + passed*math.Log((1-t.Bad)/(1-t.Good)) // for Bad
	switch {
	case evidence <= math.Log(t.Taken/(1-t.Refused)):
		return Kept
	case evidence >= math.Log((1-t.Taken)/t.Refused):
		return Refuted
	}
	return Open
}

// Between is the interval in which a probability lies of which some samples of n are a
// measurement: Wilson's, at 95 %.
func Between(some, n int) (least, most float64) {
	const z = 1.96
	if n == 0 {
		return 0, 1
	}
	p, m := float64(some)/float64(n), float64(n)
	middle, half := (p+z*z/(2*m))/(1+z*z/m), z/(1+z*z/m)*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(0, middle-half), min(1, middle+half)
}
