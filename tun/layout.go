package tun

import "encoding/binary"

const (
	protoTCP = 6
	protoUDP = 17

	header4 = 20 // bytes of an IPv4 header without options
	header6 = 40
	tcpMin  = 20
	udpSize = 8

	tcpFlags = 13 // offset of the flags in a TCP header

	fragment4 = 0x3fff // more fragments, and the offset
)

// A Layout says where the headers of a packet end.
type Layout struct {
	V6   bool
	TCP  bool // else UDP
	L4   int  // bytes before the transport header
	Head int  // bytes before the payload
}

// Parse reads a packet of the simple form, the only one that travels with a
// partial checksum: exactly one IPv4 packet without options and fragments, or one
// IPv6 packet without extension headers, of TCP or UDP, all lengths right.
func Parse(p []byte) (l Layout, ok bool) {
	var proto byte
	switch {
	case len(p) >= header4 && p[0] == 0x45:
		if int(binary.BigEndian.Uint16(p[2:])) != len(p) || binary.BigEndian.Uint16(p[6:])&fragment4 != 0 {
			return l, false
		}
		l.L4, proto = header4, p[9]
	case len(p) >= header6 && p[0]>>4 == 6:
		if header6+int(binary.BigEndian.Uint16(p[4:])) != len(p) {
			return l, false
		}
		l.V6, l.L4, proto = true, header6, p[6]
	default:
		return l, false
	}
	return l.transport(p, proto)
}

func (l Layout) transport(p []byte, proto byte) (Layout, bool) {
	t := p[l.L4:]
	switch {
	case proto == protoTCP && len(t) >= tcpMin:
		l.TCP = true
		l.Head = l.L4 + int(t[12]>>4)*4
		return l, l.Head >= l.L4+tcpMin && l.Head <= len(p)
	case proto == protoUDP && len(t) >= udpSize:
		l.Head = l.L4 + udpSize
		return l, int(binary.BigEndian.Uint16(t[4:])) == len(t)
	}
	return l, false
}

// TCPFlags is the byte of flags of a TCP packet that Parse has read as l; ok is
// false for UDP, which has none.
func (l Layout) TCPFlags(p []byte) (flags byte, ok bool) {
	if at := l.L4 + tcpFlags; l.TCP && at < len(p) {
		return p[at], true
	}
	return 0, false
}

// field is the offset of the transport checksum.
func (l Layout) field() int {
	if l.TCP {
		return l.L4 + 16
	}
	return l.L4 + 6
}

// parseAny reads a TCP packet whose transport header lies at l4, behind whatever
// IP options or extension headers.
func parseAny(p []byte, l4 int) (l Layout, ok bool) {
	if len(p) < header4 {
		return l, false
	}
	switch l.V6 = p[0]>>4 == 6; {
	case l.V6 && (l4 < header6 || header6+int(binary.BigEndian.Uint16(p[4:])) != len(p)):
		return l, false
	case !l.V6 && (p[0]>>4 != 4 || l4 != int(p[0]&15)*4 || l4 < header4 || int(binary.BigEndian.Uint16(p[2:])) != len(p)):
		return l, false
	case l4+tcpMin > len(p):
		return l, false
	}
	l.L4 = l4
	return l.transport(p, protoTCP)
}
