package paths

import "time"

// maxCandidates bounds direct paths beside the one in use: addresses that records
// came from.
const maxCandidates = 3

// newCandidates is how many addresses that only records came from become
// candidates a second, and in a burst.
const newCandidates = 3

// A budget limits the rate of such addresses: a token bucket, kept as the time at
// which it would be full (GCRA).
type budget struct{ full time.Time }

// take reports whether another address may become a candidate.
func (b *budget) take(now time.Time) bool {
	const each = time.Second / newCandidates
	full := latest(b.full, now)
	if full.Sub(now) > (newCandidates-1)*each {
		return false
	}
	b.full = full.Add(each)
	return true
}

// crowded are the candidates that make room for another one, the newest stay.
func (l list) crowded(using *path) (out list) {
	n := 0
	for i := len(l) - 1; i >= 0; i-- {
		if p := l[i]; p.direct() && p != using {
			if n++; n >= maxCandidates {
				out = append(out, p)
			}
		}
	}
	return out
}
