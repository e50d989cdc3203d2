// Package udp is one UDP socket that QUIC and records share (SPEC section 3), and the
// direct carrier on it: each record in a datagram of its own.
//
//	batch reader (GRO, recvmmsg)        directPath.Send (GSO, sendmmsg)
//	   |
//	sorter --- packets of QUIC          error queue (ICMP) - hint loop
//	   |                                          |
//	Handler.Records                     Handler.Unreachable
//
// One goroutine reads the socket in batches, decides packet by packet where it goes,
// calls the Handler for direct records, and hands what is QUIC's over in one call a
// receive. Direct records leave in the goroutine that sends them. One goroutine passes
// on what the network reports. Close waits for both; it must not be called from a
// Handler.
//
// Openers and knocks open NATs for meetings (SPEC 6.13): depth.go finds the hop limit of
// openers, watch.go tells who waits for a remote that something has come from there.
//
// Limits: MaxHeard direct paths that nobody uses, MaxHints remotes reported unreachable
// in a second, 1 MiB of records that wait for the socket where a write may block,
// 256 KiB/s of openers and knocks, 1024 watched remotes.
package udp
