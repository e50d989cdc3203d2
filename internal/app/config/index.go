package config

import "slices"

// few keys are found as fast in a list, which costs a tenth of a map's memory: there may
// be thousands of blocks and arrays, most of a few elements.
const few = 16

// An index finds on which line a key was given first.
type index[T comparable] struct {
	keys  []T
	lines []int
	many  map[T]int
}

// newIndex is for about n keys.
func newIndex[T comparable](n int) *index[T] {
	n = min(n, few)
	return &index[T]{keys: make([]T, 0, n), lines: make([]int, 0, n)}
}

// put notes a key. It reports the line of one that is there.
func (x *index[T]) put(key T, line int) (first int, twice bool) {
	if x.many != nil {
		if first, twice = x.many[key]; !twice {
			x.many[key] = line
		}
		return first, twice
	}
	if i := slices.Index(x.keys, key); i >= 0 {
		return x.lines[i], true
	}
	if x.keys, x.lines = append(x.keys, key), append(x.lines, line); len(x.keys) > few {
		x.many = make(map[T]int)
		for i, k := range x.keys {
			x.many[k] = x.lines[i]
		}
	}
	return 0, false
}
