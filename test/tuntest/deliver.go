package tuntest

import (
	"encoding/binary"
	"slices"

	"github.com/libertaria-project/l2tun/tun"
)

// Deliver is what a kernel makes of a packet: one packet or, with segment > 0,
// one for each segment of so many payload bytes, checksums complete. It is slow
// and shares no code with package tun, so that it can judge it.
func Deliver(p []byte, segment int, partial bool) ([][]byte, error) {
	p = slices.Clone(p)
	if segment == 0 && !partial {
		return [][]byte{p}, nil
	}
	if len(p) < 20 || p[0]>>4 == 6 && len(p) < 40 {
		return nil, tun.ErrOffload
	}
	l4, proto := 20, p[9]
	if p[0]>>4 == 6 {
		l4, proto = 40, p[6]
	}
	if segment == 0 {
		return [][]byte{Checksummed(p)}, nil
	}
	if proto != 6 || len(p) < l4+20 || !partial || p[0]>>4 == 4 && p[0] != 0x45 {
		return nil, tun.ErrOffload
	}
	head := l4 + int(p[l4+12]>>4)*4
	if head > len(p) {
		return nil, tun.ErrOffload
	}
	var all [][]byte
	for rest := p[head:]; ; rest = rest[segment:] {
		seg := append(slices.Clone(p[:head]), rest[:min(segment, len(rest))]...)
		tcp := seg[l4:]
		binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(len(all)*segment))
		if len(rest) > segment {
			tcp[13] &^= 0x09 // PSH, FIN
		}
		if len(all) > 0 {
			tcp[13] &^= 0x80 // CWR
		}
		if p[0]>>4 == 4 {
			binary.BigEndian.PutUint16(seg[2:], uint16(len(seg)))
			binary.BigEndian.PutUint16(seg[4:], binary.BigEndian.Uint16(seg[4:])+uint16(len(all)))
			seg[10], seg[11] = 0, 0
			binary.BigEndian.PutUint16(seg[10:], ^words(0, seg[:20]))
		} else {
			binary.BigEndian.PutUint16(seg[4:], uint16(len(seg)-40))
		}
		all = append(all, Checksummed(seg))
		if len(rest) <= segment {
			return all, nil
		}
	}
}

// Checksummed completes the checksum of a packet of TCP or UDP without options
// or extension headers, in place, and returns it.
func Checksummed(p []byte) []byte {
	l4, addrs, proto := 20, []byte(nil), byte(0)
	if p[0]>>4 == 6 {
		l4, addrs, proto = 40, p[8:40], p[6]
	} else {
		addrs, proto = p[12:20], p[9]
	}
	at := l4 + 16
	if proto == 17 {
		at = l4 + 6
	}
	p[at], p[at+1] = 0, 0
	c := ^words(uint32(words(uint32(proto)+uint32(len(p)-l4), addrs)), p[l4:])
	if c == 0 && proto == 17 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(p[at:], c)
	return p
}

// words is the ones' complement sum of s and b, word by word.
func words(s uint32, b []byte) uint16 {
	acc := s>>16 + s&0xffff
	for i, c := range b {
		acc += uint32(c) << (8 * uint(1-i%2))
		acc = acc>>16 + acc&0xffff
	}
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}
