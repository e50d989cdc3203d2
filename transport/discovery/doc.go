// Package discovery finds configured peers on the LAN: questions by IPv6
// link-local multicast and IPv4 broadcast, answers by unicast. What it finds is
// an address to try a handshake at and no more; nothing here is trusted, and a
// wrong address costs one handshake that fails. SPEC section "Discovery".
//
// # What others see
//
// A packet is a header and bytes that look random and are new in every packet.
// Only who knows the DIDs of both nodes can tell that one asks for the other,
// and only that reader can make such a packet. An entry also counts for one
// source address alone: sent again from another it is noise.
//
// # Ownership
//
// Start opens the sockets, and Close closes them and waits for every goroutine:
// one that asks and two readers a method. Found is called by the readers. A
// Table belongs to its user.
//
// # Limits
//
// A receiver keeps no state but its rate limits, which have a fixed size. It
// answers only a question that one of its peers has asked, never with more
// bytes than the question, and at most once a second to one address. A Table
// keeps 4 endpoints a peer for 2 minutes. Nothing is sent while no peer is
// wanted.
package discovery
