package wire

// The join exchange, SPEC 6.11: a stream of its own kind, on which a node that is
// no peer proves its DID, makes one request, and gets one answer.
const (
	FrameJoin    = 0x30 // bytes: what the joining node asks the inviting one
	FrameJoined  = 0x31 // bytes: the answer
	FrameDeposit = 0x32 // bytes: what the inviting node asks a hub
	FrameJoinVia = 0x33 // bytes: what the joining node asks a hub

	// MaxJoin bounds a request and an answer, in bytes.
	MaxJoin = 4096
	// MaxJoinRecord bounds the record of one.
	MaxJoinRecord = Overhead + 1 + MaxJoin

	// BindingJoin is added to the binding's kind, so that no message of a join
	// fits a session's handshake, nor the other way round.
	BindingJoin = 0x80

	// StreamJoin is the type byte of the preface, where a handshake has its
	// message type.
	StreamJoin = 0x82
)

// JoinPreface begins a join stream: type, version, zeros.
func JoinPreface() []byte {
	b := make([]byte, HandshakeHeaderSize)
	b[0], b[1] = StreamJoin, HandshakeVersion
	return b
}

// IsJoinPreface reports whether b begins a join.
func IsJoinPreface(b []byte) bool { return string(b) == string(JoinPreface()) }
