package config

import "testing"

// Few keys or many, each is found with the line on which it was given first.
func TestIndexFindsTheFirstLineOfAKey(t *testing.T) {
	for _, n := range []int{1, few, few + 1, 10 * few} {
		x := newIndex[int](n)
		for i := range n {
			if line, twice := x.put(i, i+1); twice {
				t.Fatalf("key %d of %d is on line %d", i, n, line)
			}
		}
		for i := range n {
			if line, twice := x.put(i, 1000); !twice || line != i+1 {
				t.Errorf("key %d of %d: line %d, %v", i, n, line, twice)
			}
		}
	}
}
