package wire

import (
	"encoding/binary"
	"math"
	"time"
)

// The frames by which two nodes meet through a hub (SPEC 6.13). An id and the
// caller's digest name a meeting.
const (
	// MaxSealed bounds the sealed part of MEET and MET, bytes.
	MaxSealed  = 1280
	ReadySize  = 1 + 4 + DigestSize
	NotMetSize = ReadySize + 1

	meetHeader = 1 + 4 + DigestSize + RecordIDSize + 1 + 2 // up to the number of candidates
	meetSealed = 2                                         // length of the sealed part
	minMeet    = meetHeader + 1 + meetSealed
)

// Flags of MEET and MET.
const (
	// MeetFromHub says that a hub sends the frame: it is for the end that its receiver
	// is. Without it, it is for the hub that its receiver is.
	MeetFromHub = 1 << 0
	// MetLabels makes a MET say what the sender knows of the two labels of a leg, and
	// nothing else: see Labels.
	MetLabels = 1 << 1
	// MeetPlain says that the caller needs no openers.
	MeetPlain = 1 << 2
	// MeetOpens and MeetKnocks say which part the sender would have in a spray, one or
	// none: its NAT gives each remote another port, or keeps one. A hub takes both off
	// unless it sees the sender at all addresses that are said to be seen.
	MeetOpens  = 1 << 3
	MeetKnocks = 1 << 4
	// MeetSpray asks for a spray, or agrees to one.
	MeetSpray = 1 << 5
)

// A Meet is a MEET frame, from the caller to the hub and from there to the callee,
// or its answer MET, which goes the other way.
//
//	byte 0       type
//	bytes 1-4    id of the meeting
//	bytes 5-36   other
//	bytes 37-43  label
//	byte 44      flags; unknown ones are ignored
//	bytes 45-46  rtt, milliseconds
//	byte 47      n, candidates
//	19 n bytes   address 16, IPv4 mapped; port 2; kind 1
//	2 bytes      length of the sealed part
//	             sealed part, to the end
type Meet struct {
	Met        bool // the answer
	ID         uint32
	Other      [DigestSize]byte // whom the node meets that is not the hub
	Label      RecordID         // where the sender receives what comes by the circuit
	Flags      byte             // those of a later version are carried as they are
	RTT        time.Duration    // from a hub: its round trip to Other; 0: not known
	Candidates Candidates
	Sealed     []byte // of one end for the other, at most MaxSealed bytes; aliases the frame
}

// Valid reports whether ParseMeet takes what Append makes of m.
func (m *Meet) Valid() bool {
	return m.Other != [DigestSize]byte{} && m.Label.Valid() && len(m.Sealed) <= MaxSealed
}

// Labels is the label under which the sender of a MET with MetLabels sends from now on,
// while it receives under Label; zero: it knows none. It reports false for any other
// frame, and for one whose sealed part is no label.
func (m *Meet) Labels() (out RecordID, ok bool) {
	if !m.Met || m.Flags&MetLabels == 0 || m.Candidates.n > 0 || len(m.Sealed) != RecordIDSize {
		return out, false
	}
	out = RecordID(m.Sealed)
	return out, out == RecordID{} || out.Valid()
}

// Append appends the frame of m, which is valid.
func (m *Meet) Append(b []byte) []byte {
	typ := byte(FrameMeet)
	if m.Met {
		typ = FrameMet
	}
	b = append(binary.LittleEndian.AppendUint32(append(b, typ), m.ID), m.Other[:]...)
	b = append(append(b, m.Label[:]...), m.Flags)
	b = binary.LittleEndian.AppendUint16(b, milliseconds(m.RTT))
	b = m.Candidates.append(b)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(m.Sealed))), m.Sealed...)
}

// ParseMeet reads a MEET or a MET frame.
func ParseMeet(f []byte) (Meet, bool) {
	if len(f) < minMeet || f[0] != FrameMeet && f[0] != FrameMet {
		return Meet{}, false
	}
	c, rest, ok := cutCandidates(f[meetHeader:])
	if !ok || len(rest) < meetSealed || len(rest)-meetSealed != int(binary.LittleEndian.Uint16(rest)) {
		return Meet{}, false
	}
	m := Meet{
		Met:        f[0] == FrameMet,
		ID:         binary.LittleEndian.Uint32(f[1:]),
		Other:      [DigestSize]byte(f[5:]),
		Label:      RecordID(f[37:]),
		Flags:      f[44],
		RTT:        time.Duration(binary.LittleEndian.Uint16(f[45:])) * time.Millisecond,
		Candidates: c,
		Sealed:     rest[meetSealed:],
	}
	if !m.Valid() {
		return Meet{}, false
	}
	return m, true
}

// milliseconds rounds up, so that a short round trip does not read as an unknown
// one; the largest value stands for more.
func milliseconds(d time.Duration) uint16 {
	const most = math.MaxUint16 * time.Millisecond
	return uint16((min(max(d, 0), most) + time.Millisecond - 1) / time.Millisecond)
}

// A Ready is what a READY frame says: the caller has opened its side.
type Ready struct {
	ID     uint32
	Caller [DigestSize]byte
}

// Append appends the frame of r, whose caller is not zero.
func (r Ready) Append(b []byte) []byte { return r.append(b, FrameReady) }

// ParseReady reads a READY frame.
func ParseReady(f []byte) (Ready, bool) {
	if len(f) != ReadySize {
		return Ready{}, false
	}
	return cutReady(f, FrameReady)
}

func (r Ready) append(b []byte, typ byte) []byte {
	return append(binary.LittleEndian.AppendUint32(append(b, typ), r.ID), r.Caller[:]...)
}

// cutReady reads what a READY and a NOT_MET frame begin with.
func cutReady(f []byte, typ byte) (Ready, bool) {
	r := Ready{binary.LittleEndian.Uint32(f[1:]), [DigestSize]byte(f[5:])}
	if f[0] != typ || r.Caller == [DigestSize]byte{} {
		return Ready{}, false
	}
	return r, true
}

// A Refusal is the reason of a NOT_MET frame. One that this version does not know
// counts as RefusalAbsent.
type Refusal uint8

const (
	// RefusalAbsent is said for every cause that is not the hub's own: a caller
	// does not learn whether a node is there and refuses it.
	RefusalAbsent Refusal = iota + 1
	// RefusalLimit: the hub does not forward more, or not for these two.
	RefusalLimit
)

// A NotMet is what a NOT_MET frame says: the meeting does not take place.
type NotMet struct {
	ID     uint32
	Caller [DigestSize]byte
	Reason Refusal // not 0
}

// Append appends the frame of n, whose caller and reason are not zero.
func (n NotMet) Append(b []byte) []byte {
	return append(Ready{n.ID, n.Caller}.append(b, FrameNotMet), byte(n.Reason))
}

// ParseNotMet reads a NOT_MET frame.
func ParseNotMet(f []byte) (NotMet, bool) {
	if len(f) != NotMetSize || f[ReadySize] == 0 {
		return NotMet{}, false
	}
	r, ok := cutReady(f, FrameNotMet)
	if !ok {
		return NotMet{}, false
	}
	return NotMet{r.ID, r.Caller, Refusal(f[ReadySize])}, true
}
