package wire

import "encoding/binary"

// A batch frame carries packets on utcp, in number space 2 only: one element
// after another, each with a header of its own (SPEC section 7.12).
//
//	byte 0      FrameBatch
//	byte 1      zero, checked
//	bytes 2-3   length of the packet
//	bytes 4-5   segment size, if it is a super-packet; else 0
//	bytes 6-9   zero, checked
//	packet
//
// The header is as large as what a TUN device wants before a packet: an opened
// batch can be written to it from where it lies.
const (
	BatchHeaderSize = 10
	// MaxBatch is the most plaintext of a record with a batch, bytes: that of the
	// largest IP packet.
	MaxBatch = BatchHeaderSize + 1<<16 - 1
	// MinSegment is the least segment size of a super-packet in a batch: a smaller
	// one would turn one record into thousands of packets.
	MinSegment = 512
)

// PutBatchHeader writes the header of a packet of length bytes, at most 65535,
// into b[:BatchHeaderSize].
func PutBatchHeader(b []byte, length int, segment uint16) {
	_ = b[BatchHeaderSize-1]
	b[0], b[1] = FrameBatch, 0
	binary.LittleEndian.PutUint16(b[2:], uint16(length))
	binary.LittleEndian.PutUint16(b[4:], segment)
	clear(b[6:BatchHeaderSize])
}

// CutBatch reads the first element of a batch; packet and rest alias it. It
// reports false for another header, no packet, or one that is longer than what
// is there. What the packet holds is not looked at.
func CutBatch(b []byte) (packet []byte, segment uint16, rest []byte, ok bool) {
	if len(b) <= BatchHeaderSize || b[0] != FrameBatch || b[1]|b[6]|b[7]|b[8]|b[9] != 0 {
		return nil, 0, nil, false
	}
	end := BatchHeaderSize + int(binary.LittleEndian.Uint16(b[2:]))
	if end == BatchHeaderSize || end > len(b) {
		return nil, 0, nil, false
	}
	return b[BatchHeaderSize:end:end], binary.LittleEndian.Uint16(b[4:]), b[end:], true
}
