package wire

import "encoding/binary"

// Sizes of a record (SPEC section 4): header, ciphertext, tag.
const (
	HeaderSize   = 16
	TagSize      = 16
	Overhead     = HeaderSize + TagSize
	RecordIDSize = 7

	// SafeRecord is what every path takes in one datagram: the least MTU of
	// IPv6, less 40 for IP and 8 for UDP.
	SafeRecord = 1280 - 48

	// MaxCounter is the largest counter that fits bytes 8-14 of a header.
	MaxCounter = 1<<56 - 1
)

const (
	recordByte0 = 0x40 // QUIC short header form: form bit 0, fixed bit 1, the rest zero and checked
	recordTag   = 0x80 // top bit of byte 1: ours; clear is a connection id of quic-go
)

// A RecordID names a session and an epoch at its receiver. The receiver draws
// it at random; bit 0x80 of its first byte is always set.
type RecordID [RecordIDSize]byte

// MakeRecordID turns 7 random bytes into a record id.
func MakeRecordID(random [RecordIDSize]byte) RecordID {
	random[0] |= recordTag
	return RecordID(random)
}

// Valid reports whether the tag bit is set.
func (id RecordID) Valid() bool { return id[0]&recordTag != 0 }

// A Space is a number space: one counter and one replay window of an epoch.
type Space uint8

// The number spaces, by their values on the wire. Each carrier has one (the table
// of link.Kind), and circuits will; that of a new carrier is appended.
const (
	SpaceDirect Space = iota
	SpaceDatagram
	SpaceUTCP
	SpaceControl // control and messages: no window, their own sequence numbers do that
	SpaceCircuit // direct records inside circuits; of epochs whose two ends take them
	NumSpaces    = iota
)

// PutHeader writes the record header into b[:HeaderSize].
//
//	byte 0      0x40
//	bytes 1-7   the receiver's record id
//	bytes 8-14  counter, little-endian
//	byte 15     number space
func PutHeader(b []byte, id RecordID, counter uint64, space Space) {
	_ = b[HeaderSize-1]
	b[0] = recordByte0
	copy(b[1:8], id[:])
	binary.LittleEndian.PutUint64(b[8:16], counter&MaxCounter|uint64(space)<<56)
}

// ParseHeader reads the header of a record. It reports false for anything that
// is not a record by form: too short, other bits in byte 0, no tag bit, or an
// unknown number space.
func ParseHeader(b []byte) (id RecordID, counter uint64, space Space, ok bool) {
	if !IsRecord(b) {
		return id, 0, 0, false
	}
	copy(id[:], b[1:8])
	v := binary.LittleEndian.Uint64(b[8:16])
	space = Space(v >> 56)
	return id, v & MaxCounter, space, space < NumSpaces
}

// SpaceOf is the number space of a record; false for what is no record by form.
// It is asked for every record that comes, so it reads nothing else of the header.
func SpaceOf(b []byte) (Space, bool) {
	if !IsRecord(b) {
		return 0, false
	}
	space := Space(b[HeaderSize-1])
	return space, space < NumSpaces
}

// IsRecord reports whether a datagram is a record by form, the rule by which
// the UDP socket is shared with QUIC (SPEC section 3).
func IsRecord(b []byte) bool {
	return len(b) >= Overhead && b[0] == recordByte0 && b[1]&recordTag != 0
}
