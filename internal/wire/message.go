package wire

import "encoding/binary"

// The message channel, SPEC 6.7.
const (
	FrameMessage = 0x20 // flags 1, number 8, bytes
	FrameAck     = 0x21 // number 8, limit 8

	// MessageChunk is the most bytes of a message in one record, so that control
	// passes between the chunks of a large one.
	MessageChunk = 16 << 10
	// MaxChannelRecord bounds a record on the channel's stream.
	MaxChannelRecord = Overhead + messageHeader + MessageChunk

	messageHeader = 10
	ackSize       = 17
	flagLast      = 1

	// StreamMessages is the type byte of the channel's preface, where a handshake
	// has its message type.
	StreamMessages = 0x81
)

// MessagePreface begins the channel's stream: type, version, zeros, as long as
// the header of a handshake message.
func MessagePreface() []byte {
	b := make([]byte, HandshakeHeaderSize)
	b[0], b[1] = StreamMessages, HandshakeVersion
	return b
}

// IsMessagePreface reports whether b begins a message channel.
func IsMessagePreface(b []byte) bool { return string(b) == string(MessagePreface()) }

// AppendMessage appends a piece of message number; last says that it ends it.
func AppendMessage(b []byte, number uint64, last bool, data []byte) []byte {
	var flags byte
	if last {
		flags = flagLast
	}
	b = append(b, FrameMessage, flags)
	return append(binary.LittleEndian.AppendUint64(b, number), data...)
}

// ParseMessage reads a piece of a message; data aliases f.
func ParseMessage(f []byte) (number uint64, last bool, data []byte, ok bool) {
	if len(f) < messageHeader || f[0] != FrameMessage || f[1] > flagLast {
		return 0, false, nil, false
	}
	return binary.LittleEndian.Uint64(f[2:]), f[1] == flagLast, f[messageHeader:], true
}

// AppendAck appends an acknowledgement: messages up to number lie in the Receive
// queue, and limit bytes may be sent since the stream began.
func AppendAck(b []byte, number, limit uint64) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, FrameAck), number)
	return binary.LittleEndian.AppendUint64(b, limit)
}

// ParseAck reads an acknowledgement.
func ParseAck(f []byte) (number, limit uint64, ok bool) {
	if len(f) != ackSize || f[0] != FrameAck {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint64(f[1:]), binary.LittleEndian.Uint64(f[9:]), true
}
