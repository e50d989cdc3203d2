package tun_test

import (
	"encoding/binary"
	"net/netip"
)

// IP packets written by hand, so that the kernel is the judge of them.

const (
	protoICMP   = 1
	protoICMPv6 = 58
	protoUDP    = 17
)

func sum(words uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		words += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		words += uint32(b[0]) << 8
	}
	return words
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

func pseudo(src, dst netip.Addr, proto byte, n int) uint32 {
	return sum(sum(uint32(proto)+uint32(n), src.AsSlice()), dst.AsSlice())
}

func ipPacket(src, dst netip.Addr, proto byte, body []byte) []byte {
	if src.Is4() {
		h := make([]byte, 20, 20+len(body))
		h[0], h[8], h[9] = 0x45, 64, proto
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(body)))
		copy(h[12:], src.AsSlice())
		copy(h[16:], dst.AsSlice())
		binary.BigEndian.PutUint16(h[10:], fold(sum(0, h)))
		return append(h, body...)
	}
	h := make([]byte, 40, 40+len(body))
	h[0], h[6], h[7] = 0x60, proto, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(body)))
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	return append(h, body...)
}

func echoRequest(src, dst netip.Addr) []byte {
	body := append([]byte{8, 0, 0, 0, 0x12, 0x34, 0, 1}, "are you there?"...)
	if src.Is4() {
		binary.BigEndian.PutUint16(body[2:], fold(sum(0, body)))
		return ipPacket(src, dst, protoICMP, body)
	}
	body[0] = 128
	binary.BigEndian.PutUint16(body[2:], fold(sum(pseudo(src, dst, protoICMPv6, len(body)), body)))
	return ipPacket(src, dst, protoICMPv6, body)
}

func udpPacket(src, dst netip.AddrPort, payload []byte) []byte {
	n := 8 + len(payload)
	body := make([]byte, 8, n)
	binary.BigEndian.PutUint16(body[0:], src.Port())
	binary.BigEndian.PutUint16(body[2:], dst.Port())
	binary.BigEndian.PutUint16(body[4:], uint16(n))
	body = append(body, payload...)
	binary.BigEndian.PutUint16(body[6:], fold(sum(pseudo(src.Addr(), dst.Addr(), protoUDP, n), body)))
	return ipPacket(src.Addr(), dst.Addr(), protoUDP, body)
}

// udpChecksumHolds verifies a UDP packet over IPv4 without options.
func udpChecksumHolds(p []byte) bool {
	src, dst := netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
	return fold(sum(pseudo(src, dst, protoUDP, len(p)-20), p[20:])) == 0 && fold(sum(0, p[:20])) == 0
}
