package discovery

import "encoding/binary"

// A packet, in bytes:
//
//	0   magic "l2td"
//	4   version, 1
//	5   kind: 1 question, 2 answer
//	6   number of entries, 1 to 60
//	7   zero
//	8   salt, 16 random bytes, new for each packet
//	24  entries of 18 bytes
//
// An entry:
//
//	0   id, 8 bytes
//	8   port, 2 bytes big-endian, hidden by a pad
//	10  proof, 8 bytes
//
// The length is exact: 24 + 18 for each entry, so 42 to 1104.
const (
	magic      = "l2td"
	version    = 1
	headerSize = 8
	saltSize   = 16
	entriesAt  = headerSize + saltSize
	entrySize  = 18
	maxEntries = 60
	minPacket  = entriesAt + entrySize
	maxPacket  = entriesAt + maxEntries*entrySize
)

// A kind of packet.
type kind byte

const (
	question kind = 1 // to everybody on the link: who of these is here? I am at this port
	answer   kind = 2 // to who has asked: I am, at this port
)

type (
	salt  [saltSize]byte
	entry [entrySize]byte
)

func (e *entry) id() uint64     { return binary.LittleEndian.Uint64(e[0:8]) }
func (e *entry) port() uint16   { return binary.BigEndian.Uint16(e[8:10]) } // hidden
func (e *entry) proof() [8]byte { return [8]byte(e[10:18]) }

func newEntry(id uint64, port uint16, proof [8]byte) (e entry) {
	binary.LittleEndian.PutUint64(e[0:8], id)
	binary.BigEndian.PutUint16(e[8:10], port)
	copy(e[10:18], proof[:])
	return e
}

// A packet is one that was received. Its entries alias the bytes it was parsed from.
type packet struct {
	kind    kind
	salt    salt
	entries []byte
}

// parse checks everything that needs no key. The error is ErrMalformed.
func parse(b []byte) (packet, error) {
	if len(b) < minPacket || len(b) > maxPacket || string(b[:4]) != magic || b[4] != version || b[7] != 0 {
		return packet{}, ErrMalformed
	}
	p := packet{kind: kind(b[5]), salt: salt(b[headerSize:entriesAt]), entries: b[entriesAt:]}
	if p.kind != question && p.kind != answer || len(p.entries) != int(b[6])*entrySize {
		return packet{}, ErrMalformed
	}
	return p, nil
}

func (p *packet) len() int        { return len(p.entries) / entrySize }
func (p *packet) at(i int) *entry { return (*entry)(p.entries[i*entrySize:]) }

// appendPacket encodes 1 to 60 entries.
func appendPacket(dst []byte, k kind, s salt, entries []entry) []byte {
	dst = append(dst, magic...)
	dst = append(dst, version, byte(k), byte(len(entries)), 0)
	dst = append(dst, s[:]...)
	for i := range entries {
		dst = append(dst, entries[i][:]...)
	}
	return dst
}
