package session

import (
	"testing"
	"time"
)

// SPEC section 7: packets with partial checksums go only to a peer that has stated
// that it takes them, under every epoch.
// SPEC R-7.4-2.
func TestPartialChecksumsFollowThePeersStatement(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.b.m.states.AcceptsPartial = true
		sa, sb := w.pair(Settings{})
		for range 2 {
			if a, b := partial(sa), partial(sb); !a || b {
				t.Fatalf("a may send partial: %v, b: %v; only b accepts it", a, b)
			}
			w.rotate(sa)
			w.want(sa, Established, time.Second)
			w.want(sb, Established, time.Second)
		}
	})
}

// partial reports whether the epoch in use may carry partial checksums.
func partial(s *Session) (yes bool) {
	s.call(func(time.Time) error { yes = s.loop.keys.InUse().Partial(); return nil })
	return yes
}
