package paths

import "time"

// roaming says whether the peer's records come by a path. Nothing moves without a
// proof. SPEC 6.10, Roaming.
type roaming struct {
	quiet time.Time // when records began to come by another path
	shown bool      // QUIC has moved there since another path was taken
}

// left notes that records come by another path from now on.
func (r *roaming) left(now time.Time) { r.quiet = now }

// show notes that the peer's QUIC has moved to the path's remote; taken ends that.
func (r *roaming) show()  { r.shown = true }
func (r *roaming) taken() { r.shown = false }

// A source is the path by which the newest record came.
type source struct{ from *path }

// move takes another one; nil: it is no path of the session.
func (s *source) move(p *path, now time.Time) {
	if s.from != nil {
		s.from.roam.left(now)
	}
	s.from = p
}

// forget lets go of a path that is dropped.
func (s *source) forget(p *path) {
	if s.from == p {
		s.from = nil
	}
}

// last is when a record last came by a path.
func (s *source) last(p *path, f *facts) time.Time {
	if p == s.from {
		return f.heardOn(p)
	}
	return p.roam.quiet
}
