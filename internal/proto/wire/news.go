package wire

import (
	"bytes"
	"encoding/binary"
	"math"
)

// The frames that spread documents of networks (spec/network.md 10.6). NEWS is a frame of a
// session, the others pass on a stream of their own.
const (
	FrameNews      = 0x11 // serials, see News
	FrameFetch     = 0x28 // serials: what the asking node holds
	FrameDocuments = 0x29 // see Documents
	FramePiece     = 0x2A // document 2, offset 4, bytes

	// StreamDocuments is the first byte of the stream's preface.
	StreamDocuments = 0x83

	// MaxNewsRosters is how many issuers a network has at most.
	MaxNewsRosters = 64
	// MaxDocuments bounds the documents of one answer, MaxDocument the bytes of each, and
	// MaxAnswer those of all.
	MaxDocuments = 4000
	MaxDocument  = 2 << 20
	MaxAnswer    = 256 << 20
	// MaxPiece is the most bytes of a document in one record.
	MaxPiece = 16 << 10

	newsHeader      = 1 + 32 + 8 + 32 + 1
	newsRoster      = 8 + 8
	documentsHeader = 1 + 1 + 32 + 2
	pieceHeader     = 1 + 2 + 4
)

// A RosterSerial is the serial of one issuer's roster. The issuer is the beginning of its
// DID's digest.
type RosterSerial struct {
	Issuer [8]byte
	Serial uint64
}

// News is what a node says that it holds of a network.
//
//	byte 0       type: FrameNews or FrameFetch
//	bytes 1-32   id of the network
//	bytes 33-40  serial of the head; 0: none
//	bytes 41-72  hash over all removals
//	byte 73      number of rosters, at most 64
//	bytes 74-    rosters: issuer 8, serial 8; issuers ascend
type News struct {
	Network  [32]byte // not zero
	Head     uint64
	Removals [32]byte
	Rosters  []RosterSerial
}

// Valid reports whether ParseNews takes what Append makes of n.
func (n News) Valid() bool {
	if n.Network == [32]byte{} || n.Head > math.MaxInt64 || len(n.Rosters) > MaxNewsRosters || n.Head == 0 && len(n.Rosters) > 0 {
		return false
	}
	for i, r := range n.Rosters {
		if r.Serial == 0 || r.Serial > math.MaxInt64 || i > 0 && bytes.Compare(n.Rosters[i-1].Issuer[:], r.Issuer[:]) >= 0 {
			return false
		}
	}
	return true
}

// Append appends the frame of n, which is valid: FrameNews or FrameFetch.
func (n News) Append(b []byte, typ byte) []byte {
	b = append(append(b, typ), n.Network[:]...)
	b = append(binary.LittleEndian.AppendUint64(b, n.Head), n.Removals[:]...)
	b = append(b, byte(len(n.Rosters)))
	for _, r := range n.Rosters {
		b = binary.LittleEndian.AppendUint64(append(b, r.Issuer[:]...), r.Serial)
	}
	return b
}

// ParseNews reads a frame of a type, FrameNews or FrameFetch.
func ParseNews(f []byte, typ byte) (News, bool) {
	if len(f) < newsHeader || f[0] != typ || f[73] > MaxNewsRosters || len(f) != newsHeader+int(f[73])*newsRoster {
		return News{}, false
	}
	n := News{Network: [32]byte(f[1:]), Head: binary.LittleEndian.Uint64(f[33:]), Removals: [32]byte(f[41:])}
	for r := f[newsHeader:]; len(r) > 0; r = r[newsRoster:] {
		n.Rosters = append(n.Rosters, RosterSerial{[8]byte(r), binary.LittleEndian.Uint64(r[8:])})
	}
	return n, n.Valid()
}

// An AnswerStatus is what a node says to FETCH.
type AnswerStatus uint8

const (
	AnswerAll  AnswerStatus = iota // all that the asking node lacks
	AnswerMore                     // the first of them: ask again after these
	AnswerBusy                     // ask later, or another node
	AnswerNone                     // the network is not known here, or the asking node is no member
)

// Documents begins the answer to FETCH, with the sizes of what follows.
//
//	byte 0       type
//	byte 1       status
//	bytes 2-33   id of the network
//	bytes 34-35  number of documents, at most 4000
//	bytes 36-    sizes, 4 bytes each
type Documents struct {
	Status  AnswerStatus
	Network [32]byte
	Sizes   []uint32 // 1 to MaxDocument each, at most MaxAnswer in all; none with Busy and None
}

// Valid reports whether ParseDocuments takes what Append makes of d.
func (d Documents) Valid() bool {
	total := 0
	for _, s := range d.Sizes {
		if s == 0 || s > MaxDocument {
			return false
		}
		total += int(s)
	}
	empty := d.Status == AnswerBusy || d.Status == AnswerNone
	return d.Status <= AnswerNone && d.Network != [32]byte{} && len(d.Sizes) <= MaxDocuments && total <= MaxAnswer &&
		!(empty && len(d.Sizes) > 0) && !(d.Status == AnswerMore && len(d.Sizes) == 0)
}

// Append appends the frame of d, which is valid.
func (d Documents) Append(b []byte) []byte {
	b = append(append(b, FrameDocuments, byte(d.Status)), d.Network[:]...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(d.Sizes)))
	for _, s := range d.Sizes {
		b = binary.LittleEndian.AppendUint32(b, s)
	}
	return b
}

// ParseDocuments reads the frame.
func ParseDocuments(f []byte) (Documents, bool) {
	if len(f) < documentsHeader || f[0] != FrameDocuments {
		return Documents{}, false
	}
	n := int(binary.LittleEndian.Uint16(f[34:]))
	if n > MaxDocuments || len(f) != documentsHeader+4*n {
		return Documents{}, false
	}
	d := Documents{Status: AnswerStatus(f[1]), Network: [32]byte(f[2:])}
	for s := f[documentsHeader:]; len(s) > 0; s = s[4:] {
		d.Sizes = append(d.Sizes, binary.LittleEndian.Uint32(s))
	}
	return d, d.Valid()
}

// A DocumentPiece is a part of a document.
type DocumentPiece struct {
	Document uint16 // its place in Documents, from 0
	Offset   uint32
	Data     []byte // aliases the frame; 1 to MaxPiece bytes
}

// Append appends the frame of p.
func (p DocumentPiece) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, FramePiece), p.Document)
	return append(binary.LittleEndian.AppendUint32(b, p.Offset), p.Data...)
}

// ParseDocumentPiece reads the frame.
func ParseDocumentPiece(f []byte) (DocumentPiece, bool) {
	if len(f) <= pieceHeader || len(f) > pieceHeader+MaxPiece || f[0] != FramePiece {
		return DocumentPiece{}, false
	}
	return DocumentPiece{binary.LittleEndian.Uint16(f[1:]), binary.LittleEndian.Uint32(f[3:]), f[pieceHeader:]}, true
}

// DocumentsPreface begins the stream: type, version, fourteen zeros.
func DocumentsPreface() []byte {
	b := make([]byte, HandshakeHeaderSize)
	b[0], b[1] = StreamDocuments, HandshakeVersion
	return b
}

// IsDocumentsPreface reports whether b is the preface.
func IsDocumentsPreface(b []byte) bool { return bytes.Equal(b, DocumentsPreface()) }
