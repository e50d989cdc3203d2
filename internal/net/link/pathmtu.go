package link

import "net/netip"

// A PathMTUReducer is a Network that can be told of a black hole: packets of full
// size do not reach a remote. For a while it dials it with small ones.
type PathMTUReducer interface {
	ReducePathMTU(remote netip.AddrPort)
}
