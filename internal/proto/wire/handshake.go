package wire

import (
	"encoding/binary"
	"errors"
)

const (
	HandshakeVersion    = 1
	Suite               = 0x0004 // SPEC 5.1 lists the others: reserved, or of version 0.1.0
	HandshakeHeaderSize = 16
)

// A MessageType is byte 0 of a handshake message.
type MessageType byte

const (
	MsgKeysReq       MessageType = 1  // I to R: show me the keys of the DID that this is sealed under
	MsgKeys          MessageType = 2  // R to I: key set, prekey, and ML-DSA-65 key and signature, sealed; 3 was NOT_ME and is not used again
	MsgUnknownPrekey MessageType = 4  // R to I: I do not hold that prekey; ask for my keys
	MsgM1            MessageType = 5  // full mode
	MsgM2            MessageType = 6  //
	MsgM3            MessageType = 7  //
	MsgRefused       MessageType = 8  // R to I, sealed: I know who you are and will not
	MsgM1r           MessageType = 9  // short mode
	MsgM2r           MessageType = 10 //
	MsgM3r           MessageType = 11 //
	MsgUnknown       MessageType = 12 // R to I: I do not hold that secret; make a full handshake
)

// A Mode is byte 4 of a handshake message.
type Mode byte

const (
	ModeFull   Mode = 0
	ModeRotate Mode = 1 // short, chained from the rekey secret of the epoch in use
	ModeResume Mode = 2 // short, chained from a resumption secret
)

// A HandshakeHeader begins every handshake message and is hashed with it.
//
//	byte 0       type
//	byte 1       version, 1
//	bytes 2-3    suite, 0x0004
//	byte 4       mode
//	byte 5       flags, zero
//	bytes 6-7    rotation: attempt; resumption: bytes 0-1 of the id; else zero
//	bytes 8-11   length of the whole message
//	bytes 12-15  M1: prekey id, hidden; rotation: number of the next epoch;
//	             resumption: bytes 2-5 of the id; else zero
type HandshakeHeader struct {
	Type MessageType
	Mode Mode
	Ref  Ref
}

// A Ref is what a header points to beyond the message: bytes 6-7 and 12-15.
type Ref struct {
	Low  uint16
	High uint32
}

// ID is the link as a resumption id.
func (l Ref) ID() ResumeID {
	var id ResumeID
	binary.LittleEndian.PutUint16(id[0:], l.Low)
	binary.LittleEndian.PutUint32(id[2:], l.High)
	return id
}

// A ResumeID names a resumption secret at the node that will be asked for it.
// It looks random and is used once.
type ResumeID [6]byte

// Ref is the id as it stands in a header.
func (id ResumeID) Ref() Ref {
	return Ref{binary.LittleEndian.Uint16(id[0:]), binary.LittleEndian.Uint32(id[2:])}
}

// Put writes the header into b[:HandshakeHeaderSize].
func (h HandshakeHeader) Put(b []byte) {
	_ = b[HandshakeHeaderSize-1]
	b[0], b[1] = byte(h.Type), HandshakeVersion
	binary.LittleEndian.PutUint16(b[2:], Suite)
	b[4], b[5] = byte(h.Mode), 0
	binary.LittleEndian.PutUint16(b[6:], h.Ref.Low)
	binary.LittleEndian.PutUint32(b[8:], uint32(h.Type.Size()))
	binary.LittleEndian.PutUint32(b[12:], h.Ref.High)
}

var errHandshake = errors.New("wire: malformed handshake header")

// ParseHandshakeHeader reads the header at the beginning of b. It refuses other
// versions, suites and flags, a mode or link that the type does not have, and a
// length that is not the one of the type.
func ParseHandshakeHeader(b []byte) (HandshakeHeader, error) {
	if len(b) < HandshakeHeaderSize {
		return HandshakeHeader{}, errHandshake
	}
	h := HandshakeHeader{
		Type: MessageType(b[0]),
		Mode: Mode(b[4]),
		Ref:  Ref{binary.LittleEndian.Uint16(b[6:]), binary.LittleEndian.Uint32(b[12:])},
	}
	size := h.Type.Size()
	if size == 0 || b[1] != HandshakeVersion || binary.LittleEndian.Uint16(b[2:]) != Suite ||
		b[5] != 0 || !h.linkFits() || binary.LittleEndian.Uint32(b[8:]) != uint32(size) {
		return HandshakeHeader{}, errHandshake
	}
	return h, nil
}

func (h HandshakeHeader) linkFits() bool {
	switch {
	case h.Type.short():
		return h.Mode == ModeResume || h.Mode == ModeRotate && h.Ref.High != 0
	case h.Type == MsgM1:
		return h.Mode == ModeFull && h.Ref.Low == 0
	}
	return h.Mode == ModeFull && h.Ref == Ref{}
}

// BeginsHandshake reports whether b begins a message with which an initiator begins.
func BeginsHandshake(b []byte) bool {
	h, err := ParseHandshakeHeader(b)
	return err == nil && (h.Type == MsgKeysReq || h.Type == MsgM1 || h.Type == MsgM1r)
}

func (t MessageType) short() bool { return t >= MsgM1r && t <= MsgUnknown }

// MessageSize is the length in bytes of the whole message whose first
// HandshakeHeaderSize bytes are hdr, so that a stream reader can read those and
// then the rest. It refuses what ParseHandshakeHeader refuses.
func MessageSize(hdr []byte) (int, error) {
	h, err := ParseHandshakeHeader(hdr)
	return h.Type.Size(), err
}

// Size is the size in bytes of every message of the type, 0 for an unknown one.
func (t MessageType) Size() int {
	switch t {
	case MsgKeysReq:
		return KeysReqSize
	case MsgKeys:
		return KeysSize
	case MsgUnknownPrekey, MsgUnknown:
		return HandshakeHeaderSize
	case MsgM1:
		return M1Size
	case MsgM2:
		return M2Size
	case MsgM3:
		return M3Size
	case MsgRefused:
		return RefusedSize
	case MsgM1r:
		return M1rSize
	case MsgM2r:
		return M2rSize
	case MsgM3r:
		return M3rSize
	}
	return 0
}
