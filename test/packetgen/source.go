// Package packetgen makes packets and frames for fuzz targets: valid ones, with
// all lengths consistent, by choices that it takes from the fuzz input, and
// mutations on top. Mutating bytes at random breaks a length first and so never
// gets behind the first check; mutating choices walks through headers, options,
// fragments, extension headers and flags, and the mutations then break one thing
// at a time. For tests only.
package packetgen

// A Source is a fuzz input read as choices. When it is used up every choice is 0.
type Source struct{ rest []byte }

// New reads choices from b.
func New(b []byte) *Source { return &Source{b} }

// More reports whether choices are left.
func (s *Source) More() bool { return len(s.rest) > 0 }

// Byte is a choice of a byte.
func (s *Source) Byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// N is a choice below n, which is at most 65536.
func (s *Source) N(n int) int {
	if n <= 256 {
		return int(s.Byte()) % n
	}
	return (int(s.Byte())<<8 | int(s.Byte())) % n
}

// Bool is a choice of two.
func (s *Source) Bool() bool { return s.Byte()&1 != 0 }

// One is one of the choices.
func One[T any](s *Source, of ...T) T { return of[s.N(len(of))] }

// Rest is what is left, as it is.
func (s *Source) Rest() []byte {
	b := s.rest
	s.rest = nil
	return b
}

// Mutate changes b as raw fuzzing would: usually not at all, or by a few bits and
// bytes of the headers, a cut, or bytes behind it. The result may alias b.
func (s *Source) Mutate(b []byte) []byte {
	for range s.N(8) & 3 & s.N(4) {
		if len(b) == 0 {
			return b
		}
		at := s.N(min(len(b), 256))
		switch s.N(6) {
		case 0, 1:
			b[at] ^= 1 << s.N(8)
		case 2:
			b[at] = s.Byte()
		case 3:
			b = b[:at]
		case 4:
			b = b[:len(b)-s.N(min(len(b), 16))]
		case 5:
			b = append(b, make([]byte, s.N(16))...)
		}
	}
	return b
}

// generated marks a fuzz input that is choices and not bytes as they are.
const generated = 0xff

// Of reads a fuzz input as choices if it is marked so; others are bytes as they are.
func Of(in []byte) (*Source, bool) {
	if len(in) == 0 || in[0] != generated {
		return nil, false
	}
	return New(in[1:]), true
}

// Seeds are marked inputs to begin with: each is a mixture of choices.
func Seeds() (all [][]byte) {
	for k := range byte(16) {
		b := []byte{generated}
		for i := range byte(96) {
			b = append(b, i*(2*k+1)+k*37)
		}
		all = append(all, b)
	}
	return all
}
