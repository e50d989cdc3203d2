// Package peercache remembers, from one start of a node to the next, where each peer
// was reached and the signed keys that a handshake with it begins with, so that a node
// that starts again reaches its peers at once. docs/node.md 8.8, ADR-047.
//
// Nothing in the file is a secret, and nothing in it is trusted: an address leads to a
// handshake, which proves the peer or fails, and keys are verified against the peer's
// DID and by their two signatures whenever they are taken out. A file that cannot be
// used is ignored.
//
// A Cache belongs to its node, which closes it. Its one goroutine writes the file; all
// other methods only change the table, and may be called from any goroutine.
package peercache
