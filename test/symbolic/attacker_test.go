package symbolic

import (
	"math/bits"
	"slices"
	"strings"
)

// A leak is something that an attacker may have or not: private terms, or a
// primitive that is broken. Every subset of a list of leaks is one scenario; bit
// n of a scenario's number says whether it has leak n.
type leak struct {
	name  string
	terms []*term
	broke string // "X25519" (and Ed25519: the same discrete logarithm) or "ML-KEM" (and ML-DSA: the same lattices)
}

func leaked(terms ...*term) (all []leak) {
	for _, t := range terms {
		all = append(all, leak{name: t.text, terms: []*term{t}})
	}
	return all
}

func broken() []leak {
	return []leak{{name: "X25519", broke: "X25519"}, {name: "ML-KEM", broke: "ML-KEM"}}
}

// A sets is a set of scenarios, one bit each: where something is known.
type sets []uint64

func newSets(leaks int) sets { return make(sets, max(1, 1<<leaks/64)) }

func (s sets) or(t sets) {
	for n := range s {
		s[n] |= t[n]
	}
}

//go:norace
func (s sets) has(scenario int) bool { return s[scenario/64]>>(scenario%64)&1 != 0 }

func and(first sets, more ...sets) sets {
	out := slices.Clone(first)
	for _, m := range more {
		for n := range out {
			out[n] &= m[n]
		}
	}
	return out
}

// having are the scenarios with leak n.
//
//go:norace
func having(n, leaks int) sets {
	out := newSets(leaks)
	for s := range 1 << leaks {
		if s>>n&1 != 0 {
			out[s/64] |= 1 << (s % 64)
		}
	}
	return out
}

// always are all scenarios.
//
//go:norace
func always(leaks int) sets {
	out := newSets(leaks)
	for s := range 1 << leaks {
		out[s/64] |= 1 << (s % 64)
	}
	return out
}

// knowledge is what an attacker knows of a space, in every scenario at once.
type knowledge struct {
	*space
	known         []sets // by term
	x25519, mlkem sets   // where these are broken
	everywhere    sets
	changed       bool
}

// saturate closes what is given and leaked under what an attacker can do. Only
// terms of the space are looked at: what else could be made from them decomposes
// to nothing new.
func saturate(s *space, given []*term, leaks []leak) *knowledge {
	k := &knowledge{space: s, x25519: newSets(len(leaks)), mlkem: newSets(len(leaks))}
	for range s.all {
		k.known = append(k.known, newSets(len(leaks)))
	}
	k.everywhere = always(len(leaks))
	for _, t := range given {
		k.known[t.id].or(k.everywhere)
	}
	for n, l := range leaks {
		in := having(n, len(leaks))
		switch l.broke {
		case "X25519":
			k.x25519 = in
		case "ML-KEM":
			k.mlkem = in
		}
		for _, t := range l.terms {
			k.known[t.id].or(in)
		}
	}
	for k.changed = true; k.changed; {
		k.changed = false
		for _, t := range s.all {
			k.compose(t)
		}
		for _, t := range slices.Backward(s.all) {
			k.decompose(t)
		}
	}
	return k
}

func (k *knowledge) of(t *term) sets { return k.known[t.id] }

// learn adds t where all of some sets meet. It is the inner loop, run by one
// goroutine: the race detector would cost minutes here and has nothing to see.
//
//go:norace
func (k *knowledge) learn(t *term, first sets, more ...sets) {
	known := k.known[t.id]
	var news uint64
	for n := range first {
		w := first[n]
		for m := range more {
			w &= more[m][n]
		}
		news |= w &^ known[n]
		known[n] |= w
	}
	k.changed = k.changed || news != 0
}

// compose makes t from its parts.
func (k *knowledge) compose(t *term) {
	switch t.op {
	case opConst:
		k.learn(t, k.everywhere)
	case opAtom:
	case opDH: // a private half and the other public one
		x, y := t.args[0], t.args[1]
		k.learn(t, k.of(x), k.of(k.xpub(y)))
		k.learn(t, k.of(y), k.of(k.xpub(x)))
	case opCT:
		k.learn(t, k.of(t.args[1]), k.of(k.ek(t.args[0])))
	case opSS: // by decapsulation, or by who drew the coins
		priv, coins := t.args[0], t.args[1]
		k.learn(t, k.of(priv), k.of(k.ct(priv, coins)))
		k.learn(t, k.of(coins), k.of(k.ek(priv)))
	default: // of all parts; of none, everybody can
		parts := []sets{k.everywhere}
		for _, a := range t.args {
			parts = append(parts, k.of(a))
		}
		k.learn(t, parts[0], parts[1:]...)
	}
}

// decompose takes from t what is in it.
func (k *knowledge) decompose(t *term) {
	switch t.op {
	case opCat:
		for _, a := range t.args {
			k.learn(a, k.of(t))
		}
	case opSeal: // the key opens it
		k.learn(t.args[1], k.of(t), k.of(t.args[0]))
	case opXPub, opVK:
		k.learn(t.args[0], k.of(t), k.x25519)
	case opEK, opVKQ:
		k.learn(t.args[0], k.of(t), k.mlkem)
	}
}

// clauses says what the scenarios in s have in common, as a product of sums:
// s is where the attacker has something of each clause. Nothing else has the
// same clauses, so they say the answer for every set of leaks. A clause is what
// is missing in a largest scenario that is not in s.
func clauses(s sets, leaks []leak) string {
	var missing []int
	top := 1<<len(leaks) - 1
	for scenario := range 1 << len(leaks) {
		if !s.has(scenario) && largest(s, scenario, len(leaks)) {
			missing = append(missing, top&^scenario)
		}
	}
	if len(missing) == 0 {
		return "always"
	}
	if !s.has(top) {
		return "never"
	}
	var text []string
	for _, m := range missing {
		text = append(text, clause(m, leaks))
	}
	slices.Sort(text)
	return strings.Join(text, " ")
}

// largest: every leak more leads into s.
//
//go:norace
func largest(s sets, scenario, leaks int) bool {
	for rest := (1<<leaks - 1) &^ scenario; rest != 0; rest &= rest - 1 {
		if !s.has(scenario | 1<<bits.TrailingZeros(uint(rest))) {
			return false
		}
	}
	return true
}

func clause(leakBits int, leaks []leak) string {
	var names []string
	for n, l := range leaks {
		if leakBits>>n&1 != 0 {
			names = append(names, l.name)
		}
	}
	return "[" + strings.Join(names, " | ") + "]"
}
