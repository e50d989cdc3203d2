package wire

import "encoding/binary"

// The first nibble of a record's plaintext says what it is: 4 or 6 an IP packet,
// 0xC or 0xE the same with its transport checksum partial, 0x0-0x3 a frame.
// Anything else is dropped and counted.

// Frame types. One record carries one frame.
const (
	FrameHeartbeat    = 0x01 // nonce 8
	FrameHeartbeatAck = 0x02 // nonce 8, the one of the heartbeat
	FramePart         = 0x03 // id 2, index 1, bytes: half of a packet or frame
	FrameClose        = 0x04 // reason 1: the sender has closed the session
	FrameProbe        = 0x05 // nonce 8, zeros: is this path good for records of this size?
	FrameEcho         = 0x06 // nonce 8, address 16, port 2, widest 2: the answer, see Echo
	FrameBatch        = 0x07 // packets, on utcp only: see BatchHeaderSize
	FrameMeet         = 0x08 // see Meet; this and the next six need circuits at both ends
	FrameMet          = 0x09
	FrameReady        = 0x0A // id 4, caller 32
	FrameNotMet       = 0x0B // id 4, caller 32, reason 1
	FrameCandidates   = 0x0C // n 1, candidates 19 each
	FrameProxyJoin    = 0x0D // a join that a hub passes on, and the answer: see ProxyJoin
	FrameHome         = 0x0E // lifetime 2, circuits 2
	FrameSleep        = 0x0F // step 1, how 1
	FrameHandshake    = 0x10 // a message of short mode: rotation
)

const (
	HeartbeatSize  = 9
	PartHeaderSize = 4
	CloseSize      = 2
	EchoSize       = 29
	// MinProbe is the least plaintext of a probe, so that no echo is larger.
	MinProbe = 64

	// PacketPartIDs masks the part ids of packets; those of frames have the bit
	// above it set, so that both can be drawn without a common counter.
	PacketPartIDs = 0x7fff
	FramePartIDs  = 0x8000
)

// PartialBit in a packet's first byte makes nibble 4 or 6 into 0xC or 0xE: its
// transport checksum is partial, and what its field holds means nothing.
const PartialBit = 0x80

// SetPartial marks a packet of one byte or more.
func SetPartial(packet []byte) {
	if len(packet) > 0 {
		packet[0] |= PartialBit
	}
}

// ClearPartial takes the mark off a plaintext; it reports false, and changes
// nothing, if the plaintext is no packet with the mark.
func ClearPartial(plain []byte) bool {
	if KindOf(plain) != KindPartial {
		return false
	}
	plain[0] &^= PartialBit
	return true
}

// Kind is what the first byte of a plaintext says about it.
type Kind uint8

const (
	KindInvalid Kind = iota
	KindPacket
	KindPartial
	KindFrame
)

// KindOf classifies a plaintext by its first nibble.
func KindOf(plain []byte) Kind {
	if len(plain) == 0 {
		return KindInvalid
	}
	switch plain[0] >> 4 {
	case 4, 6:
		return KindPacket
	case 0xC, 0xE:
		return KindPartial
	case 0, 1, 2, 3:
		return KindFrame
	}
	return KindInvalid
}

// FrameType is the first byte of a plaintext that is a frame; false for another.
func FrameType(plain []byte) (byte, bool) {
	if KindOf(plain) != KindFrame {
		return 0, false
	}
	return plain[0], true
}

// IsFrame reports whether a plaintext is a frame of a type.
func IsFrame(plain []byte, typ byte) bool {
	t, ok := FrameType(plain)
	return ok && t == typ
}

// AppendHeartbeat appends a heartbeat or its answer (typ) with its nonce.
func AppendHeartbeat(b []byte, typ byte, nonce uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, typ), nonce)
}

// ParseHeartbeat reads a heartbeat or its answer.
func ParseHeartbeat(f []byte) (nonce uint64, ok bool) {
	if len(f) != HeartbeatSize {
		return 0, false
	}
	return binary.LittleEndian.Uint64(f[1:]), true
}

// AppendHalves appends the two part frames of a plaintext that is too large for
// one record. Whoever sends to a peer draws ids from a range of its own.
func (b *Batch) AppendHalves(id uint16, plain []byte) {
	half := (len(plain) + 1) / 2
	for i, body := range [][]byte{plain[:half], plain[half:]} {
		b.Buf = binary.LittleEndian.AppendUint16(append(b.Buf, FramePart), id)
		b.Buf = append(append(b.Buf, byte(i)), body...)
		b.Ends = append(b.Ends, len(b.Buf))
	}
}

// ParsePart reads a part frame; body aliases f.
func ParsePart(f []byte) (id uint16, half byte, body []byte, ok bool) {
	if len(f) <= PartHeaderSize || f[3] > 1 {
		return 0, 0, nil, false
	}
	return binary.LittleEndian.Uint16(f[1:3]), f[3], f[PartHeaderSize:], true
}

// AppendProbe appends a probe of size bytes, at least MinProbe.
func AppendProbe(b []byte, nonce uint64, size int) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, FrameProbe), nonce)
	return append(b, make([]byte, max(size, MinProbe)-HeartbeatSize)...)
}

// ParseProbe reads a probe.
func ParseProbe(f []byte) (nonce uint64, ok bool) {
	if len(f) < MinProbe {
		return 0, false
	}
	return binary.LittleEndian.Uint64(f[1:]), true
}
