package tun

import (
	"encoding/binary"
	"math/bits"
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
func (l Layout) pseudo(p []byte) uint16 {
	addrs, proto := p[12:20], uint16(protoUDP)
	if l.V6 {
		addrs = p[8:40]
	}
	if l.TCP {
		proto = protoTCP
	}
	return add(add(sum(0, addrs), proto), uint16(len(p)-l.L4))
}

// complete writes the transport checksum of p.
func (l Layout) complete(p []byte) {
	at := l.field()
	p[at], p[at+1] = 0, 0
	c := ^sum(l.pseudo(p), p[l.L4:])
	if c == 0 && !l.TCP {
		c = 0xffff // zero says that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(p[at:], c)
}

// prepare writes what the kernel expects of a partial checksum: the sum of the
// pseudo-header.
func (l Layout) prepare(p []byte) { binary.BigEndian.PutUint16(p[l.field():], l.pseudo(p)) }

// Complete writes the transport checksum of a packet of the simple form; of
// another it reports false.
func Complete(p []byte) bool {
	l, ok := Parse(p)
	if ok {
		l.complete(p)
	}
	return ok
}

// HeaderHolds reports whether the IPv4 header checksum of p, 20 bytes, is right.
func HeaderHolds(p []byte) bool { return sum(0, p[:header4]) == 0xffff }

// PutLength writes the length of packet p into its IP header, and in IPv4 the
// header's checksum.
func (l Layout) PutLength(p []byte) {
	if l.V6 {
		binary.BigEndian.PutUint16(p[4:], uint16(len(p)-header6))
		return
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], ^sum(0, p[:int(p[0]&15)*4]))
}
