package meeting

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// partOf is what the flags of a MEET or MET say of the sender's part in a spray. Both at
// once say nothing.
func partOf(flags byte) paths.Part {
	switch flags & (wire.MeetOpens | wire.MeetKnocks) {
	case wire.MeetOpens:
		return paths.Opens
	case wire.MeetKnocks:
		return paths.Knocks
	}
	return paths.NoPart
}

// Part is this node's part in a spray: none where it takes no part in any, or nothing is
// known of what its NAT does to IPv4.
func (s *Seat) Part(now time.Time) paths.Part {
	if f := s.b.c.Addresses.Spray; f == nil || !f() || s.NoUDP(now) {
		return paths.NoPart
	}
	switch s.b.verdict.Load().Likely {
	case nat.EndpointDependent:
		return paths.Opens
	case nat.EndpointIndependent, nat.None: // a firewall may be before a public address
		return paths.Knocks
	}
	return paths.NoPart
}

// Spray notes that a spray with the peer begins; Sprayed is when the newest one did, also
// of an earlier session.
func (s *Seat) Spray(now time.Time) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.sprayed[s.peer] = now
}

func (s *Seat) Sprayed() time.Time {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.b.sprayed[s.peer]
}
