package ip

import (
	"encoding/binary"
	"net/netip"
)

// Protocols that are looked at.
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// Sizes of headers, bytes, without options.
const (
	V4Size  = 20
	V6Size  = 40
	TCPSize = 20
	UDPSize = 8
)

// FragmentMask is the part of V4.Fragment that says that a packet is a fragment:
// more fragments, and the offset.
const FragmentMask = 0x3fff

// Flags of TCP.
const (
	FIN = 0x01
	SYN = 0x02
	RST = 0x04
	PSH = 0x08
	ACK = 0x10
	URG = 0x20
	CWR = 0x80
)

// V4 is an IPv4 header without its options.
type V4 [V4Size]byte

// ReadV4 is the header at the beginning of b; false if b is shorter, or of another
// version.
func ReadV4(b []byte) (*V4, bool) {
	if len(b) < V4Size || b[0]>>4 != 4 {
		return nil, false
	}
	return (*V4)(b), true
}

func (h *V4) HeaderLen() int          { return int(h[0]&15) * 4 } // as it says
func (h *V4) TOS() byte               { return h[1] }
func (h *V4) Len() int                { return int(binary.BigEndian.Uint16(h[2:4])) }
func (h *V4) SetLen(n int)            { binary.BigEndian.PutUint16(h[2:4], uint16(n)) }
func (h *V4) ID() uint16              { return binary.BigEndian.Uint16(h[4:6]) }
func (h *V4) SetID(id uint16)         { binary.BigEndian.PutUint16(h[4:6], id) }
func (h *V4) Fragment() uint16        { return binary.BigEndian.Uint16(h[6:8]) } // flags and offset
func (h *V4) TTL() byte               { return h[8] }
func (h *V4) Protocol() byte          { return h[9] }
func (h *V4) SetChecksum(sum uint16)  { binary.BigEndian.PutUint16(h[10:12], sum) }
func (h *V4) Source() netip.Addr      { return netip.AddrFrom4([4]byte(h[12:16])) }
func (h *V4) Destination() netip.Addr { return netip.AddrFrom4([4]byte(h[16:20])) }
func (h *V4) Addresses() *[8]byte     { return (*[8]byte)(h[12:20]) } // source, destination

// V6 is an IPv6 header.
type V6 [V6Size]byte

// ReadV6 is ReadV4 for IPv6.
func ReadV6(b []byte) (*V6, bool) {
	if len(b) < V6Size || b[0]>>4 != 6 {
		return nil, false
	}
	return (*V6)(b), true
}

func (h *V6) Flow() *[4]byte          { return (*[4]byte)(h[0:4]) } // version, traffic class, flow label
func (h *V6) PayloadLen() int         { return int(binary.BigEndian.Uint16(h[4:6])) }
func (h *V6) SetPayloadLen(n int)     { binary.BigEndian.PutUint16(h[4:6], uint16(n)) }
func (h *V6) NextHeader() byte        { return h[6] }
func (h *V6) HopLimit() byte          { return h[7] }
func (h *V6) Source() netip.Addr      { return netip.AddrFrom16([16]byte(h[8:24])) }
func (h *V6) Destination() netip.Addr { return netip.AddrFrom16([16]byte(h[24:40])) }
func (h *V6) Addresses() *[32]byte    { return (*[32]byte)(h[8:40]) } // source, destination

// TCP is a TCP header without its options.
type TCP [TCPSize]byte

// ReadTCP is the header at the beginning of b; false if b is shorter.
func ReadTCP(b []byte) (*TCP, bool) {
	if len(b) < TCPSize {
		return nil, false
	}
	return (*TCP)(b), true
}

func (h *TCP) Ports() *[4]byte       { return (*[4]byte)(h[0:4]) }
func (h *TCP) Seq() uint32           { return binary.BigEndian.Uint32(h[4:8]) }
func (h *TCP) SetSeq(n uint32)       { binary.BigEndian.PutUint32(h[4:8], n) }
func (h *TCP) Ack() uint32           { return binary.BigEndian.Uint32(h[8:12]) }
func (h *TCP) HeaderLen() int        { return int(h[12]>>4) * 4 } // as it says
func (h *TCP) Reserved() byte        { return h[12] & 15 }
func (h *TCP) Flags() byte           { return h[13] }
func (h *TCP) SetFlags(f byte)       { h[13] = f }
func (h *TCP) Window() uint16        { return binary.BigEndian.Uint16(h[14:16]) }
func (h *TCP) SetChecksum(s uint16)  { binary.BigEndian.PutUint16(h[16:18], s) }
func (h *TCP) UrgentPointer() uint16 { return binary.BigEndian.Uint16(h[18:20]) }

// UDP is a UDP header.
type UDP [UDPSize]byte

// ReadUDP is the header at the beginning of b; false if b is shorter.
func ReadUDP(b []byte) (*UDP, bool) {
	if len(b) < UDPSize {
		return nil, false
	}
	return (*UDP)(b), true
}

func (h *UDP) Len() int { return int(binary.BigEndian.Uint16(h[4:6])) }
