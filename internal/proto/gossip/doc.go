// Package gossip decides how the documents of networks spread (spec/network.md 10.6,
// spec/behaviour.md 10.6): what a node says of them to whom, from whom it fetches what it
// lacks, whom it answers, and when it may speak to members after a start. It is
// anti-entropy by serials: whoever is behind fetches from whoever is ahead.
//
// The Machine is pure: events go in with the time, actions come out, and the caller performs
// them in order. It starts no goroutine and reads no clock; one goroutine owns it. Deadline
// says when Tick is due. It sees serials alone. Documents are judged by package network,
// whose owner calls Changed once they are saved, and only then Fetched: Held, Lacking and Weigh
// are between a State and the Machine.
//
//	Heard: peer is ahead -> Fetch -> Progress... -> Changed -> Fetched
//	Changed -> Say to each peer that is not known to hold as much
//
// What members can do to each other is bounded: a peer has one slot for its serials in each
// network that it shares, one fetch and one answer at a time; a network has one fetch. A
// source that stalls, refuses or gives less than it said waits, and longer each time.
package gossip
