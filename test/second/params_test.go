package second

import "encoding/binary"

// params are the 24 sealed bytes by which an end describes itself.
type params struct {
	RecordID    hexBytes `json:"record_id"` // 7 bytes, top bit of the first set
	Flags       byte     `json:"flags"`     // bit 0 AES instructions, bit 1 accepts partial checksums, bit 2 circuits
	MTU         uint16   `json:"mtu"`
	Epoch       uint32   `json:"epoch"`
	Incarnation uint64   `json:"incarnation"`
}

func (p params) bytes() []byte {
	b := join(p.RecordID, []byte{p.Flags}, le16(int(p.MTU)), le32(int(p.Epoch)), le16(0))
	return binary.LittleEndian.AppendUint64(b, p.Incarnation)
}
