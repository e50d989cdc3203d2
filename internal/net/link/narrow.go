package link

import "net/netip"

// A Narrower is a Network that can be told that packets of full size do not
// reach a remote: for a while it dials it with small ones.
type Narrower interface{ Narrow(remote netip.AddrPort) }
