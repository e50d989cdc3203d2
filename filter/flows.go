package filter

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	// FlowLife is how long an answer may come after the newest UDP packet to its sender,
	// seconds.
	FlowLife = 180
	// flowSets of flowWays are the flows that are remembered: 1 MiB, each set one line of
	// the cache. Of 50,000 flows one in a thousand finds its set full.
	flowSets, flowWays = 16384, 8

	timeBits = 24
	timeMask = 1<<timeBits - 1
)

// flows are the UDP flows of this host: to whom it has sent, and when last. A flow is 40
// bits of a keyed hash of its addresses and ports, and 24 bits of the time in seconds,
// which is one word: two that share 40 bits are one, which nobody can arrange without
// the key. Where a set is full, the flow used the longest ago gives way.
type flows struct {
	sets [flowSets][flowWays]atomic.Uint64 // first: each on a line
	seed maphash.Seed
}

func newFlows() *flows { return &flows{seed: maphash.MakeSeed()} }

// of is the hash of the flow of a packet that leaves, which has ports; ofAnswer that of the
// flow which one that comes would answer.
func (f *flows) of(u *upper) uint64 {
	var key [36]byte
	n := copy(key[:], u.addrs)
	n += copy(key[n:], u.body[:4])
	return maphash.Bytes(f.seed, key[:n])
}

func (f *flows) ofAnswer(u *upper) uint64 {
	var key [36]byte
	half := len(u.addrs) / 2
	n := copy(key[:], u.addrs[half:])
	n += copy(key[n:], u.addrs[:half])
	key[n], key[n+1], key[n+2], key[n+3] = u.body[2], u.body[3], u.body[0], u.body[1]
	return maphash.Bytes(f.seed, key[:n+4])
}

// sent notes a packet that leaves.
func (f *flows) sent(hash uint64, now int64) {
	set, tag := &f.sets[hash%flowSets], hash&^timeMask
	if tag == 0 {
		tag = 1 << timeBits
	}
	word := tag | uint64(now)&timeMask
	oldest, most := 0, int64(-1)
	for i := range set {
		old := set[i].Load()
		if old == word {
			return // noted within this second
		}
		if old&^timeMask == tag {
			set[i].Store(word)
			return
		}
		if age := ageOf(old, now); age > most {
			oldest, most = i, age
		}
	}
	set[oldest].Store(word)
}

// answers reports whether a packet that comes belongs to a flow.
func (f *flows) answers(hash uint64, now int64) bool {
	set, tag := &f.sets[hash%flowSets], hash&^timeMask
	if tag == 0 {
		tag = 1 << timeBits
	}
	for i := range set {
		if old := set[i].Load(); old&^timeMask == tag {
			return ageOf(old, now) <= FlowLife
		}
	}
	return false
}

// ageOf is the age of a flow in seconds; an empty place is older than any.
func ageOf(word uint64, now int64) int64 {
	if word == 0 {
		return timeMask + 1
	}
	return (now - int64(word&timeMask)) & timeMask
}
