package utcp

import (
	"encoding/binary"
	"fmt"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Frames of a μTCP connection:
//
//	byte 0      kind
//	bytes 1-3   length of the body, little-endian
//	body
//
// Numbers in a body are little-endian. Streams that the dialling end opens have
// odd numbers, the others even ones, each end counting up.
const (
	frameOpen    = 0x01 // stream 4: the sender opens it
	frameData    = 0x02 // stream 4, bytes
	frameClose   = 0x03 // stream 4: the sender neither sends nor reads any more
	frameWindow  = 0x04 // stream 4, bytes 4: the sender takes so many bytes more
	frameEnd     = 0x05 // reason: the sender closes the connection
	frameRecord  = 0x10 // one record
	frameCircuit = 0x11 // one circuit datagram (SPEC 6.13)

	frameHeader  = 4
	streamHeader = frameHeader + 4

	maxStreamData = 16 << 10 // of one frame, so that others pass between
	streamPiece   = 4 << 10  // of those we make: a stranger's buffer holds two
	maxRecord     = link.MaxStreamRecord
	maxCircuit    = 1500 // of a circuit datagram
	maxFrame      = frameHeader + maxRecord
)

// bodyLimits are the least and the most bytes of a kind's body.
func bodyLimits(kind byte) (least, most int) {
	switch kind {
	case frameOpen, frameClose:
		return 4, 4
	case frameData:
		return 5, 4 + maxStreamData
	case frameWindow:
		return 8, 8
	case frameEnd:
		return 0, cause.MaxReason
	case frameRecord:
		return wire.Overhead, maxRecord
	case frameCircuit:
		return wire.MinCircuit, maxCircuit
	}
	return 1, 0
}

// frameSize is the size of the frame that b begins with, header included; 0 while
// the header is not complete. A length that is out of bounds is found before the
// body has come. Errors wrap cause.ErrProtocol.
func frameSize(b []byte) (int, error) {
	if len(b) < frameHeader {
		return 0, nil
	}
	n := int(b[1]) | int(b[2])<<8 | int(b[3])<<16
	if least, most := bodyLimits(b[0]); n < least || n > most {
		return 0, fmt.Errorf("%w: frame of kind %d with %d bytes", cause.ErrProtocol, b[0], n)
	}
	return frameHeader + n, nil
}

func appendFrameHeader(b []byte, kind byte, body int) []byte {
	return append(b, kind, byte(body), byte(body>>8), byte(body>>16))
}

// appendStreamFrame appends a frame about a stream.
func appendStreamFrame(b []byte, kind byte, id uint32, rest []byte) []byte {
	b = appendFrameHeader(b, kind, 4+len(rest))
	return append(binary.LittleEndian.AppendUint32(b, id), rest...)
}
