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
	Lost       atomic.Uint64 // records and forwarded datagrams for which there was no route to the remote
	ICMP       atomic.Uint64 // ICMP messages about a remote, other than too big and Answers
	Openers    atomic.Uint64 // openers that have left
	Knocks     atomic.Uint64 // knocks that have left
	NotOpened  atomic.Uint64 // openers and knocks that did not, for the budget or the address
	Answers    atomic.Uint64 // ICMP messages that answer openers, knocks and searches for the depth of NATs
}
