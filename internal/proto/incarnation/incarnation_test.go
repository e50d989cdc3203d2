package incarnation

import (
	"net/netip"
	"testing"
	"time"
)

// A peer that restarts, again and again, is one host; what has been noticed is
// forgotten after a while.
func TestRestartsAreNoClones(t *testing.T) {
	at, now := netip.MustParseAddrPort("10.0.0.1:4242"), time.Unix(1000, 0)
	var h History
	for n := uint64(1); n < 50; n++ {
		for range 3 {
			now = now.Add(time.Second)
			h.Meet(n, at, now)
		}
	}
	if h.Duplicates(now) != nil || len(h.seen) > maxSightings {
		t.Fatalf("%+v", h)
	}
	for _, n := range []uint64{50, 51, 50, 51} {
		h.Meet(n, at, now)
	}
	if h.Duplicates(now) == nil || h.Duplicates(now.Add(memory+time.Second)) != nil {
		t.Fatalf("%+v", h)
	}
	for range displacedLosses {
		h.Forgotten(51, now)
		h.Forgotten(7, now) // it has restarted: that is why
	}
	if !h.Displaced(now) || h.Displaced(now.Add(memory+time.Second)) || len(h.losses) > displacedLosses {
		t.Fatalf("%+v", h)
	}
}

// One of the two restarts: its address is still named once.
func TestAddressOfARestartedCloneIsNamedOnce(t *testing.T) {
	one, two, now := netip.MustParseAddrPort("10.0.0.1:4242"), netip.MustParseAddrPort("10.0.0.2:4242"), time.Unix(1000, 0)
	var h History
	h.Meet(1, one, now) // the first run of the one
	for range 3 {
		h.Meet(2, one, now)
		h.Meet(3, two, now)
	}
	if at := h.Duplicates(now); len(at) != 2 || at[0] != one || at[1] != two {
		t.Fatal(at)
	}
}
