// Package circuit is the end of circuits at a node: paths through hubs (SPEC 6.13).
//
// A Path wraps what it sends, records or packets of QUIC, in circuit datagrams and
// hands them to its Leg, the path by which the session with the hub sends at the
// moment. What comes under a label of the path goes to the Handler as records that
// came by the path, or to QUIC as packets from its virtual address.
//
// Circuits, Path and Leg are safe for concurrent use. On the packet path nothing is
// allocated, no lock is taken, and nothing changes goroutines. What cannot leave or is
// not taken is dropped and counted: Stats says why. A path that is no longer needed is
// closed by whoever opened it.
package circuit
