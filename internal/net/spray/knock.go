package spray

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// KnockPorts knocks at ports of an address, each once, until ctx ends or all knocks have
// left.
func (s *Sprayer) KnockPorts(ctx context.Context, at netip.Addr) {
	for some := range slices.Chunk(draw(), atOnce) {
		if s.pace.WaitN(ctx, len(some)) != nil {
			return
		}
		remotes := make([]netip.AddrPort, len(some))
		for i, port := range some {
			remotes[i] = netip.AddrPortFrom(at, port)
		}
		s.c.Knock(remotes)
	}
}

// draw draws ports, none twice.
func draw() []uint16 {
	ports := make([]uint16, 0, numKnocks)
	drawn := make(map[uint16]bool, numKnocks)
	for len(ports) < numKnocks {
		p := firstPort + uint16(rand.N(allPorts))
		if !drawn[p] {
			drawn[p] = true
			ports = append(ports, p)
		}
	}
	return ports
}
