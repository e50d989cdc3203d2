// Package doctor looks for what keeps a node from working: its files, this
// machine, the host's network, the path to each peer's endpoints, and the node
// itself. It changes nothing and needs no key of the peers: a node answers a QUIC
// handshake, a TCP connection and plain datagrams of anybody.
//
// Each finding has a code of internal/show/health; docs/troubleshooting.md has a
// section for each. Run waits for the slowest check, about ten seconds at most.
package doctor
