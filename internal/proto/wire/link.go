package wire

// A Link is what people are shown, and what can be dialled.
type Link string

const (
	LinkQUIC Link = "quic" // one UDP socket
	LinkUTCP Link = "utcp" // one TCP connection
)
