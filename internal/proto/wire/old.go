package wire

import "encoding/binary"

// SuiteOld is the suite of version 0.1.0, which this version does not speak: it
// only knows it, to tell both ends (SPEC 5.3).
const SuiteOld = 0x0002

// OldKeysReqSize is the size in bytes of KEYS_REQ in that version: header, and the
// digest of the DID asked for.
const OldKeysReqSize = HandshakeHeaderSize + DigestSize

// Types of that version which another meaning was given, or none.
const oldNotMe = 3

// IsOld reports whether a message that begins with hdr is of version 0.1.0.
func IsOld(hdr []byte) bool {
	return len(hdr) >= HandshakeHeaderSize && hdr[0] >= byte(MsgKeysReq) && hdr[0] <= byte(MsgUnknown) &&
		hdr[1] == HandshakeVersion && binary.LittleEndian.Uint16(hdr[2:]) == SuiteOld
}

// OldKeysReq is a KEYS_REQ for the keys of nobody, the all-zero digest: a node of
// version 0.1.0 answers NOT_ME, for any DID.
func OldKeysReq() []byte {
	b := oldHeader(MsgKeysReq, OldKeysReqSize)
	return b[:OldKeysReqSize]
}

// IsOldNotMe reports whether an answer to it is of version 0.1.0. This version
// answers OldAnswer, of another type.
func IsOldNotMe(hdr []byte) bool { return IsOld(hdr) && hdr[0] == oldNotMe }

// OldAnswer is what makes the maker of a message of version 0.1.0 end with the
// reason protocol_violation, for which it advises to compare versions: an answer
// of a type that has no place there.
func OldAnswer(hdr []byte) []byte {
	if MessageType(hdr[0]) == MsgKeysReq {
		return oldHeader(MsgUnknownPrekey, HandshakeHeaderSize)
	}
	return oldHeader(oldNotMe, HandshakeHeaderSize)
}

func oldHeader(t MessageType, size uint32) []byte {
	b := make([]byte, HandshakeHeaderSize, size)
	b[0], b[1] = byte(t), HandshakeVersion
	binary.LittleEndian.PutUint16(b[2:], SuiteOld)
	binary.LittleEndian.PutUint32(b[8:], size)
	return b
}
