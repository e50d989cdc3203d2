package wire

import "encoding/binary"

// The message channel, SPEC 6.7.
const (
	FrameMessage = 0x20 // flags 1, channel 8, number 8, offset 4, bytes
	FrameAck     = 0x21 // channel 8, number 8, limit 8

	// MessageChunk is the most bytes of a message in one record, so that control
	// passes between the chunks of a large one.
	MessageChunk = 16 << 10
	// MessageCost is what a message counts beyond its bytes where bytes are
	// bounded: memory is spent on empty ones, too.
	MessageCost = 64
	// MaxChannelRecord bounds a record on the channel's stream.
	MaxChannelRecord = Overhead + messageHeader + MessageChunk

	messageHeader = 22
	ackSize       = 25
	flagLast      = 1

	// StreamMessages is the type byte of the channel's preface, where a handshake
	// has its message type.
	StreamMessages = 0x81
)

// A Piece is what a MESSAGE frame carries.
type Piece struct {
	Channel uint64 // of the preface
	Number  uint64 // of the message, from 1
	Offset  uint32 // of Data in the message
	Last    bool   // Data ends it
	Data    []byte // aliases the frame
}

// An Ack is what an ACK frame says: messages up to Number lie in the Receive
// queue, and Limit bytes, costs included, may be sent since the stream began.
type Ack struct{ Channel, Number, Limit uint64 }

// MessagePreface begins the channel's stream: type, version, six zeros, and a
// random channel id that every frame repeats, sealed.
func MessagePreface(channel uint64) []byte {
	b := make([]byte, HandshakeHeaderSize)
	b[0], b[1] = StreamMessages, HandshakeVersion
	binary.LittleEndian.PutUint64(b[8:], channel)
	return b
}

// ParseMessagePreface reports whether b begins a message channel, and its id.
func ParseMessagePreface(b []byte) (channel uint64, ok bool) {
	if len(b) != HandshakeHeaderSize || string(b[:8]) != string(MessagePreface(0)[:8]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[8:]), true
}

// Append appends the frame of p to b.
func (p Piece) Append(b []byte) []byte {
	var flags byte
	if p.Last {
		flags = flagLast
	}
	b = binary.LittleEndian.AppendUint64(append(b, FrameMessage, flags), p.Channel)
	b = binary.LittleEndian.AppendUint64(b, p.Number)
	return append(binary.LittleEndian.AppendUint32(b, p.Offset), p.Data...)
}

// ParsePiece reads a MESSAGE frame.
func ParsePiece(f []byte) (Piece, bool) {
	if len(f) < messageHeader || f[0] != FrameMessage || f[1] > flagLast {
		return Piece{}, false
	}
	return Piece{
		Channel: binary.LittleEndian.Uint64(f[2:]),
		Number:  binary.LittleEndian.Uint64(f[10:]),
		Offset:  binary.LittleEndian.Uint32(f[18:]),
		Last:    f[1] == flagLast,
		Data:    f[messageHeader:],
	}, true
}

// Append appends the frame of a to b.
func (a Ack) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, FrameAck), a.Channel)
	b = binary.LittleEndian.AppendUint64(b, a.Number)
	return binary.LittleEndian.AppendUint64(b, a.Limit)
}

// ParseAck reads an ACK frame.
func ParseAck(f []byte) (Ack, bool) {
	if len(f) != ackSize || f[0] != FrameAck {
		return Ack{}, false
	}
	return Ack{binary.LittleEndian.Uint64(f[1:]), binary.LittleEndian.Uint64(f[9:]), binary.LittleEndian.Uint64(f[17:])}, true
}
