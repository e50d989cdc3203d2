// Package portmap asks routers for a mapping of the node's UDP port: by PCP, NAT-PMP
// and UPnP IGD at once. What is asked when, and what of the answers is believed, is
// decided by internal/proto/mapping; here are the sockets, and the one use of
// goupnp (ADR-037).
//
// Nothing runs before Start. A Mapper has a goroutine that looks for gateways, when
// it starts and when it is told that the network has changed; each gateway has a
// client with a goroutine that owns its machine, and with those that read its
// sockets and make its calls, which report to it. Close gives the mappings back,
// which takes half a second at most and a little, and waits for all of them.
//
// A mapping is a candidate: somebody has to be reached by it before it counts. A
// failure is a Status, and a line for debugging, never a warning.
//
// What a router may do is bounded. UDP comes from its address or is dropped: PCP and
// NAT-PMP have a socket of their own each round, connected to it, from a port that
// the kernel draws. HTTP goes to its address and nowhere else, whatever locations,
// descriptions and redirections say; names are not looked up. By UDP 16 answers a
// round are read, by HTTP 64 KiB of each; searches and calls end after 3 s. Texts of
// routers are neither kept nor shown.
//
// Limits: 4 gateways. UPnP is for IPv4; pinholes of IPv6 are asked for by PCP.
// Announcements by multicast (RFC 6887 14.1) are not listened to.
package portmap
