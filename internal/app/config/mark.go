package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Mark is what the node's own packets carry on the way out (SO_MARK), so that
// rules of routing and of packet filters can tell them. It keeps to the low byte
// unless it is told otherwise: kube-proxy masquerades, with random ports, what has
// bit 0x4000, and other programs have bits of their own (docs/node.md 8, ADR-028).
type Mark struct {
	Value uint32 // 0: none is set
	Mask  uint32 // the bits that rules should look at; Value has no others
}

// DefaultMark is "l" under the low byte.
func DefaultMark() Mark { return Mark{0x6c, 0xff} }

// String is the form of the config.
func (m Mark) String() string {
	if m.Value == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x/%#x", m.Value, m.Mask)
}

// parseMark reads VALUE/MASK, as ip rule and nft write it. Without a mask all bits
// count.
func parseMark(s string) (Mark, error) {
	value, mask, masked := strings.Cut(s, "/")
	v, err := strconv.ParseUint(value, 0, 32)
	m := uint64(math.MaxUint32)
	if err == nil && masked {
		m, err = strconv.ParseUint(mask, 0, 32)
	}
	switch {
	case err != nil:
		return Mark{}, fmt.Errorf("%q is not VALUE/MASK, such as %s; 0 sets no mark", s, DefaultMark())
	case v&^m != 0:
		return Mark{}, fmt.Errorf("%q: the value has bits that are not in the mask", s)
	case v == 0:
		return Mark{}, nil
	}
	return Mark{uint32(v), uint32(m)}, nil
}
