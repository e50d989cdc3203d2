// Package quicnet is QUIC on a UDP socket that it shares with records (SPEC 3.4, 3.5):
// connections with streams, and records in datagrams.
//
//	udp.Socket, its reader                    udp.Socket.Patient
//	      |                                           ^
//	   receiver --- packetQueue - pacer       batcher (GSO, sendmsg)
//	                     |                            |
//	                     +-------- quic-go -----------+
//	                                |    ^
//	                                v    |
//	   Handler.Records --- datagramPath: receiveLoop, sendLoop
//
// A Virtual does the same for circuits, with a quic-go, a queue and limits of its own, and
// without records: what it sends its owner puts into circuit datagrams.
//
// Ownership: QUIC runs on a bounded queue of copies, so that nothing it does
// (deadlines, Close, being slow) stops the reader of the socket; the extra hop costs
// about 5 % of what a QUIC packet costs altogether. One goroutine sends QUIC's packets
// in runs. Each connection has one goroutine that sends datagrams and one that receives
// them; the owner of the Endpoint starts them (Options.Start) and waits for their end.
// Endpoint.Close waits for everything else.
//
// Identity is not proven here: TLS is anonymous, and the handshake over the first
// stream, bound to the connection by Conn.Binding, says who the peer is. Until a
// connection's Proven is called it is a stranger's: it has a place among a bounded
// number, and its windows are small.
//
// Limits: packets of at most 1452 bytes, of 1200 through circuits; 1024 packets wait for
// QUIC, and 256 from circuits; 256 KiB wait for the socket; 1 MiB and 100 ms of records
// wait for the datagrams of a connection.
package quicnet
