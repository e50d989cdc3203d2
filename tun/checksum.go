package tun

import (
	"encoding/binary"
	"math/bits"

	"github.com/libertaria-project/l2tun/internal/ip"
)

// sum adds b to a ones' complement sum (RFC 1071). b starts at an even offset of
// what is summed.
func sum(s uint16, b []byte) uint16 {
	acc, carry := uint64(bits.ReverseBytes16(s)), uint64(0)
	for len(b) >= 64 {
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b), 0)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[8:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[16:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[24:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[32:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[40:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[48:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[56:64]), carry)
		acc += carry
		b = b[64:]
	}
	for len(b) >= 4 {
		acc, carry = bits.Add64(acc, uint64(binary.LittleEndian.Uint32(b)), 0)
		acc += carry
		b = b[4:]
	}
	var last uint64
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	acc, carry = bits.Add64(acc, last, 0)
	return bits.ReverseBytes16(fold(acc + carry))
}

func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc>>16 + acc&0xffff)
}

// add adds one word to a sum.
func add(s, w uint16) uint16 {
	v, carry := bits.Add32(uint32(s)<<16, uint32(w)<<16, 0)
	return uint16(v>>16) + uint16(carry)
}

// pseudo is the sum of the pseudo-header of packet p.
func (l Layout) pseudo(p []byte) (s uint16) {
	if h, ok := ip.ReadV6(p); ok {
		s = sum(0, h.Addresses()[:])
	} else if h, ok := ip.ReadV4(p); ok {
		s = sum(0, h.Addresses()[:])
	}
	proto := uint16(ip.ProtoUDP)
	if l.TCP {
		proto = ip.ProtoTCP
	}
	return add(add(s, proto), uint16(len(p)-l.L4))
}

// complete writes the transport checksum of p, which was read as l.
func (l Layout) complete(p []byte) {
	l.putField(p, 0)
	c := ^sum(l.pseudo(p), p[l.L4:])
	if c == 0 && !l.TCP {
		c = 0xffff // zero says that there is none (RFC 768)
	}
	l.putField(p, c)
}

// prepare writes what the kernel expects of a partial checksum: the sum of the
// pseudo-header.
func (l Layout) prepare(p []byte) { l.putField(p, l.pseudo(p)) }

// Complete writes the transport checksum of a packet of the simple form; of
// another it reports false.
func Complete(p []byte) bool {
	l, ok := Parse(p)
	if ok {
		l.complete(p)
	}
	return ok
}

// HeaderHolds reports whether p has an IPv4 header without options whose checksum
// is right.
func HeaderHolds(p []byte) bool {
	h, ok := ip.ReadV4(p)
	return ok && h.HeaderLen() == ip.V4Size && sum(0, h[:]) == 0xffff
}

// PutLength writes the length of packet p into its IP header, and in IPv4 the
// header's checksum. What is no IP packet stays as it is.
func PutLength(p []byte) {
	if h, ok := ip.ReadV6(p); ok {
		h.SetPayloadLen(len(p) - ip.V6Size)
		return
	}
	if h, ok := ip.ReadV4(p); ok && h.HeaderLen() <= len(p) {
		h.SetLen(len(p))
		h.SetChecksum(0)
		h.SetChecksum(^sum(0, p[:h.HeaderLen()]))
	}
}
