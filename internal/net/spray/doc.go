// Package spray executes what ADR-046 decides: an end whose NAT gives each remote another
// port opens many ports towards the peer, the peer knocks at many ports of its address,
// and one that both have drawn leads through.
//
// A Sprayer makes no goroutine that outlives a call. Its calls run until their context
// ends; they are safe for concurrent use.
//
// Limits: 128 ports of a call and two such calls at a time; 2,048 knocks of a call, 1,000
// a second of all calls together, 64 at once.
package spray
