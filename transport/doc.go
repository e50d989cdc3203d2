// Package transport carries sessions over the network. It owns one UDP socket,
// shares it between QUIC and records (SPEC section 3), and a TCP listener with the
// same port for networks that drop UDP. It gives out connections and paths through
// the interfaces of internal/net/link.
//
//	Handler.Records <---- internal/net/udp ----> directPath.Send
//	                        |         ^
//	                        v         |
//	              quicQueue - pacer   batcher (GSO, sendmsg)
//	                   |              |
//	                 quic-go ---------+
//	                   |     ^
//	                   v     |
//	Handler.Records --- receiveLoop, queue.Queue        utcp.Conn: readLoop, sendQueue, writeLoop
//
// Ownership: QUIC runs on a bounded queue of copies, so that nothing it does
// (deadlines, Close, being slow) stops the reader of the socket; the extra hop costs
// about 5 % of what a QUIC packet costs altogether. One goroutine sends QUIC's packets
// in runs. Each QUIC connection has one goroutine that sends datagrams and one that
// receives them; each μTCP connection one that reads and one that writes when its
// socket was full. Transport.Close waits for all of them; it must not be called from a
// Handler.
//
// Identity is not proven here: TLS is anonymous, and the handshake over the
// first stream, bound to the connection by Conn.Binding, says who the peer is.
//
// Limits: QUIC packets of at most 1452 bytes; 1024 packets wait for QUIC; 256 KiB
// wait for the socket; 1 MiB and 100 ms of records wait for the datagrams of a
// connection, of either kind; 512 TCP connections of unknown peers, 16 of one source;
// and those of internal/net/udp.
package transport
