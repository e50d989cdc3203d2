// Package dial finds out by which of a peer's endpoints and over which link it
// answers: Happy Eyeballs (RFC 8305) over names, addresses and links.
//
// A Race belongs to the goroutine that ranges over its Connections. It starts a
// goroutine for each name and each dial, and leaves none behind.
package dial
