package udp

import "sync/atomic"

// Counters count what a Socket receives, in datagrams, and what it sends on the
// direct carrier, in records.
type Counters struct {
	Received   atomic.Uint64 // datagrams read from the socket
	Unknown    atomic.Uint64 // records whose id nobody knows
	NoPath     atomic.Uint64 // records with a known id, or packets of QUIC, while that carrier is switched off
	Malformed  atomic.Uint64 // neither QUIC nor a record, or cut short by the kernel
	ReadErrors atomic.Uint64 // receive calls that failed
	Faults     atomic.Uint64 // defects of this program met in handling datagrams
	Full       atomic.Uint64 // records refused because the socket was full
	TooBig     atomic.Uint64 // sends that ended at a record larger than the local link
	Lost       atomic.Uint64 // records for which there was no route to the remote
	ICMP       atomic.Uint64 // ICMP messages about a remote, other than too big
}
