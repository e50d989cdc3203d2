package tuntest

import (
	"encoding/binary"
	"net/netip"
)

// A TCP describes a packet of TCP; the zero fields are ordinary values.
type TCP struct {
	Src, Dst netip.AddrPort
	Seq, Ack uint32
	Flags    byte // 0: ACK
	Window   uint16
	Options  []byte // a multiple of 4
	ID       uint16 // of IPv4
	TTL      byte   // 0: 64
	Payload  []byte
}

// Packet writes it by hand, its IPv4 header checksum right, its TCP checksum 0.
func (t TCP) Packet() []byte {
	tcp := make([]byte, 20, 20+len(t.Options)+len(t.Payload))
	binary.BigEndian.PutUint16(tcp[0:], t.Src.Port())
	binary.BigEndian.PutUint16(tcp[2:], t.Dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], t.Seq)
	binary.BigEndian.PutUint32(tcp[8:], t.Ack)
	tcp[12], tcp[13] = byte(5+len(t.Options)/4)<<4, t.Flags
	if t.Flags == 0 {
		tcp[13] = 0x10
	}
	binary.BigEndian.PutUint16(tcp[14:], t.Window)
	tcp = append(append(tcp, t.Options...), t.Payload...)
	ttl := t.TTL
	if ttl == 0 {
		ttl = 64
	}
	if t.Src.Addr().Is6() {
		ip := make([]byte, 40, 40+len(tcp))
		ip[0], ip[6], ip[7] = 0x60, 6, ttl
		binary.BigEndian.PutUint16(ip[4:], uint16(len(tcp)))
		copy(ip[8:], t.Src.Addr().AsSlice())
		copy(ip[24:], t.Dst.Addr().AsSlice())
		return append(ip, tcp...)
	}
	ip := make([]byte, 20, 20+len(tcp))
	ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, ttl, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(tcp)))
	binary.BigEndian.PutUint16(ip[4:], t.ID)
	copy(ip[12:], t.Src.Addr().AsSlice())
	copy(ip[16:], t.Dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[10:], ^words(0, ip))
	return append(ip, tcp...)
}
