package link

// A Prover is a Conn that treats the peer otherwise until it has proven itself: an
// accepted one limits it as a stranger, and a dialled one sends nothing but one
// stream, as the other end would not take it.
type Prover interface {
	Conn
	// Proven says that a handshake over the connection is complete at this end: its
	// last message has been verified, or has been written to the stream.
	Proven()
}

// Proven tells a connection, if it wants to know.
func Proven(c Conn) {
	if p, ok := c.(Prover); ok {
		p.Proven()
	}
}
