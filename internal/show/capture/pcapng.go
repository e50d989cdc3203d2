package capture

import (
	"encoding/binary"
	"time"
)

// Kinds of blocks, and codes of options, which count anew in each kind
// (draft-ietf-opsawg-pcapng, sections 3 and 4).
const (
	sectionBlock    = 0x0a0d0d0a
	interfaceBlock  = 1
	statisticsBlock = 5
	packetBlock     = 6

	endOfOptions = 0
	anyComment   = 1

	sectionApplication   = 4
	interfaceName        = 2
	interfaceResolution  = 9 // of its times, the power of ten
	packetFlags          = 2
	statisticsBegun      = 2
	statisticsEnded      = 3
	statisticsReceived   = 4
	statisticsDropped    = 5
	byteOrder            = 0x1a2b3c4d
	linkRaw              = 101 // a packet begins with its IP header
	nanoseconds          = 9
	inbound, outbound    = 1, 2
	unknownSectionLength = 1<<64 - 1
)

// A block is the pcapng block that is being made, little endian; its memory is used
// for the next one too.
//
//	kind (4), length of the block (4), body, options, length again (4)
type block struct{ b []byte }

func (x *block) begin(kind uint32) {
	x.b = x.b[:0]
	x.u32(kind)
	x.u32(0) // the length, see end
}

func (x *block) u16(v uint16) { x.b = binary.LittleEndian.AppendUint16(x.b, v) }
func (x *block) u32(v uint32) { x.b = binary.LittleEndian.AppendUint32(x.b, v) }
func (x *block) u64(v uint64) { x.b = binary.LittleEndian.AppendUint64(x.b, v) }

// when is a time in nanoseconds, its upper half first.
func (x *block) when(t time.Time) {
	ns := uint64(t.UnixNano())
	x.u32(uint32(ns >> 32))
	x.u32(uint32(ns))
}

// bytes are padded to a multiple of four.
func (x *block) bytes(p []byte) {
	x.b = append(x.b, p...)
	x.b = append(x.b, make([]byte, -len(p)&3)...)
}

// option is one whose value f appends.
func (x *block) option(code uint16, f func()) {
	at := len(x.b)
	x.u16(code)
	x.u16(0)
	f()
	binary.LittleEndian.PutUint16(x.b[at+2:], uint16(len(x.b)-at-4))
}

// text is an option of at most 65,535 bytes.
func (x *block) text(code uint16, s string) {
	s = s[:min(len(s), 1<<16-1)]
	x.u16(code)
	x.u16(uint16(len(s)))
	x.bytes([]byte(s))
}

// end is the whole block, valid until the next begin.
func (x *block) end() []byte {
	x.u16(endOfOptions)
	x.u16(0)
	length := uint32(len(x.b) + 4)
	x.u32(length)
	binary.LittleEndian.PutUint32(x.b[4:], length)
	return x.b
}
