// Package connect makes handshakes between two nodes (SPEC 5.1, 5.2), full ones and
// resumptions, in both roles, over the streams of connections.
//
// An Initiator tries one connection after the other; a Responder answers whoever
// calls, within the bounds that strangers, claims of one peer and the peer itself
// have (SPEC 6.5). Both run in the goroutines of their callers, may wait for the
// network, and reach the session with the peer by at most three calls: an initiator
// by Prove, a responder by Offer, Install and Prove of a HalfOpen, which is all the
// state of an answer. They keep no key beyond a handshake but the Prekeys of the
// node.
package connect
