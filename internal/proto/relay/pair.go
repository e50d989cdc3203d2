package relay

import "bytes"

// A pair is two peers that have a meeting under way or a circuit.
type pair struct {
	ends    [2]*peer // the smaller digest first
	slots   [2]int   // its place in the list of each end
	ask     asking
	circuit circuit
	legs    [2]leg // of the circuit, by the end that they lead to
	alarm   alarm
}

// index is the place of an end.
func (p *pair) index(e *peer) int {
	if p.ends[0] == e {
		return 0
	}
	return 1
}

// inOrder puts the smaller digest first.
func inOrder(a, b *peer) [2]*peer {
	if bytes.Compare(a.did[:], b.did[:]) < 0 {
		return [2]*peer{a, b}
	}
	return [2]*peer{b, a}
}
