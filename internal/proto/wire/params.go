package wire

import (
	"encoding/binary"
	"errors"
)

// ParamsSize is the size of the sealed parameters of M1 and M2.
const ParamsSize = 24

// Minor is the minor version of the protocol here.
const Minor = 1

const (
	flagAES     = 1 << 0
	flagPartial = 1 << 1
	flagCircuit = 1 << 2
	flagNetwork = 1 << 3
)

// Params are what each end states about itself inside the handshake, sealed.
//
//	bytes 0-6    record id that the sender listens on for this epoch
//	byte 7       flags: bit 0 AES instructions, bit 1 accepts partial checksums,
//	             bit 2 takes circuits and the frames of meeting, bit 3 takes those of
//	             networks
//	bytes 8-9    inner MTU in bytes
//	bytes 10-13  epoch number: in M1 the next one the initiator could use,
//	             in M2 the one that both will use
//	byte 14      minor version of the protocol, Minor here (SPEC 5.3)
//	byte 15      zero, ignored
//	bytes 16-23  incarnation: random per process
type Params struct {
	RecordID       RecordID
	AES            bool
	AcceptsPartial bool
	Circuits       bool
	Networks       bool
	MTU            uint16 // bytes
	Epoch          uint32
	Minor          uint8
	Incarnation    uint64
}

var errParams = errors.New("wire: malformed session parameters")

// Append appends the 24 bytes of p to b.
func (p Params) Append(b []byte) []byte {
	b = append(b, p.RecordID[:]...)
	var flags byte
	if p.AES {
		flags |= flagAES
	}
	if p.AcceptsPartial {
		flags |= flagPartial
	}
	if p.Circuits {
		flags |= flagCircuit
	}
	if p.Networks {
		flags |= flagNetwork
	}
	b = append(b, flags)
	b = binary.LittleEndian.AppendUint16(b, p.MTU)
	b = binary.LittleEndian.AppendUint32(b, p.Epoch)
	b = append(b, p.Minor, 0)
	return binary.LittleEndian.AppendUint64(b, p.Incarnation)
}

// ParseParams reads exactly ParamsSize bytes. Unknown flag bits and byte 15 are ignored,
// so that a later version can state more.
func ParseParams(b []byte) (Params, error) {
	if len(b) != ParamsSize {
		return Params{}, errParams
	}
	p := Params{
		RecordID:       RecordID(b[0:7]),
		AES:            b[7]&flagAES != 0,
		AcceptsPartial: b[7]&flagPartial != 0,
		Circuits:       b[7]&flagCircuit != 0,
		Networks:       b[7]&flagNetwork != 0,
		MTU:            binary.LittleEndian.Uint16(b[8:10]),
		Epoch:          binary.LittleEndian.Uint32(b[10:14]),
		Minor:          b[14],
		Incarnation:    binary.LittleEndian.Uint64(b[16:24]),
	}
	if !p.RecordID.Valid() || p.Epoch == 0 {
		return Params{}, errParams
	}
	return p, nil
}
