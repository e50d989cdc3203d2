package ip

import "net/netip"

// A Packet is bytes that are exactly one IPv4 or IPv6 packet by its header's
// lengths. Only Read makes one.
type Packet struct {
	b  []byte
	v4 *V4 // exactly one of the two is not nil
	v6 *V6
}

// Read takes b as one packet. IPv4: a header length of 20 at least, inside the
// total length, which is b's. IPv6: 40 and the payload length are b's, so that
// jumbograms are none.
func Read(b []byte) (Packet, bool) {
	if h, ok := ReadV4(b); ok {
		return Packet{b: b, v4: h}, h.HeaderLen() >= V4Size && h.HeaderLen() <= h.Len() && h.Len() == len(b)
	}
	if h, ok := ReadV6(b); ok {
		return Packet{b: b, v6: h}, V6Size+h.PayloadLen() == len(b)
	}
	return Packet{}, false
}

// V4 is the header of an IPv4 packet.
func (p Packet) V4() (*V4, bool) { return p.v4, p.v4 != nil }

// V6 is the header of an IPv6 packet.
func (p Packet) V6() (*V6, bool) { return p.v6, p.v6 != nil }

// Bytes is the whole packet.
func (p Packet) Bytes() []byte { return p.b }

// Payload is what comes behind the IPv4 header with its options, or the IPv6
// header without extension headers.
func (p Packet) Payload() []byte {
	if p.v4 != nil {
		return p.b[p.v4.HeaderLen():]
	}
	return p.b[V6Size:]
}

// Source is where the packet says it comes from.
func (p Packet) Source() netip.Addr {
	if p.v4 != nil {
		return p.v4.Source()
	}
	return p.v6.Source()
}

// Destination is where the packet goes.
func (p Packet) Destination() netip.Addr {
	if p.v4 != nil {
		return p.v4.Destination()
	}
	return p.v6.Destination()
}
