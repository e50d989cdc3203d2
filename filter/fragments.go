package filter

import (
	"net/netip"
	"sync"
)

const (
	// FragmentLife is how long later fragments follow a first one that has passed,
	// seconds.
	FragmentLife = 30
	// maxFragments is how many packets in fragments are remembered.
	maxFragments = 256
)

// fragments are first fragments that have passed, the newest maxFragments. Fragments
// are rare, and have a lock.
type fragments struct {
	mu   sync.Mutex
	ring [maxFragments]fragmented
	next int
}

// A fragmented is a packet in fragments.
type fragmented struct {
	src, dst netip.Addr
	id       uint32
	protocol byte
	at       int64
}

func fragmentedOf(u *upper) fragmented {
	return fragmented{src: u.src, dst: u.dst, id: u.id, protocol: u.protocol}
}

// passed remembers a first fragment.
func (f *fragments) passed(u *upper, now int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x := f.find(u); x != nil {
		x.at = now
		return
	}
	x := fragmentedOf(u)
	x.at = now
	f.ring[f.next] = x
	f.next = (f.next + 1) % maxFragments
}

// find is what is remembered of a packet; nil: nothing.
func (f *fragments) find(u *upper) *fragmented {
	x := fragmentedOf(u)
	for i := range f.ring {
		if x.at = f.ring[i].at; f.ring[i] == x {
			return &f.ring[i]
		}
	}
	return nil
}

// follows reports whether a later fragment's first one has passed.
func (f *fragments) follows(u *upper, now int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.find(u)
	return x != nil && now-x.at <= FragmentLife
}
