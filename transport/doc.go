// Package transport carries sessions over the network. It owns one UDP socket, which
// QUIC and records share (SPEC section 3), and a TCP listener with the same port for
// networks that drop UDP. It gives out connections and paths through the interfaces of
// internal/net/link.
//
//	         Transport
//	sides   conns   resolve, Dialable
//	  |       |
//	  |       +-- quicnet.Virtual     QUIC through circuits; its packets are the caller's to carry
//	  |       |        |
//	  |       +-- quicnet.Endpoint    QUIC: connections, streams, datagrams
//	  |       |        |
//	  +-------+-- udp.Socket          the one reader; direct records
//	          |
//	          +-- utcp.Door           streams and records over TCP
//
// Each of the three is a package beside internal/net/link that knows nothing of the
// other two, but that QUIC's packets go through the UDP socket. What they share is
// here: the connections of all links, whose goroutines a Transport starts and waits
// for, those that wait for Accept, and what peers have proven where.
// Transport.Close waits for everything; it must not be called from a Handler.
//
// Identity is not proven here: the handshake over the first stream, bound to the
// connection by Conn.Binding, says who the peer is.
//
// Limits: 64 connections wait for Accept, 8 side sockets, and those of the three.
package transport
