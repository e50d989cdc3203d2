package tun

import (
	"encoding/binary"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
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
	if h, ok := ip.ReadV4(p); ok {
		if h.HeaderLen() != ip.V4Size || h.Len() != len(p) || h.Fragment()&ip.FragmentMask != 0 {
			return l, false
		}
		return Layout{L4: ip.V4Size}.transport(p, h.Protocol())
	}
	if h, ok := ip.ReadV6(p); ok && ip.V6Size+h.PayloadLen() == len(p) {
		return Layout{V6: true, L4: ip.V6Size}.transport(p, h.NextHeader())
	}
	return l, false
}

// transport reads the transport header at L4, which is inside p.
func (l Layout) transport(p []byte, proto byte) (Layout, bool) {
	rest := p[l.L4:]
	switch proto {
	case ip.ProtoTCP:
		if h, ok := ip.ReadTCP(rest); ok {
			l.TCP, l.Head = true, l.L4+h.HeaderLen()
			return l, h.HeaderLen() >= ip.TCPSize && l.Head <= len(p)
		}
	case ip.ProtoUDP:
		if h, ok := ip.ReadUDP(rest); ok {
			l.Head = l.L4 + ip.UDPSize
			return l, h.Len() == len(rest)
		}
	}
	return l, false
}

// TCPHeader is the TCP header of packet p, which was read as l. It reports false
// for UDP, which has none, and for a p that is shorter.
func (l Layout) TCPHeader(p []byte) (*ip.TCP, bool) {
	if !l.TCP || l.L4 > len(p) {
		return nil, false
	}
	return ip.ReadTCP(p[l.L4:])
}

// segmentable is the TCP header of a packet that can be taken apart: its headers
// are no longer than Segments takes.
func (l Layout) segmentable(p []byte) (*ip.TCP, bool) {
	if l.Head > maxHead || l.Head > len(p) {
		return nil, false
	}
	return l.TCPHeader(p)
}

// field is the offset of the transport checksum; false if it is not inside p.
func (l Layout) field(p []byte) (at int, ok bool) {
	if at = l.L4 + 6; l.TCP {
		at = l.L4 + 16
	}
	return at, l.L4 >= 0 && at+2 <= len(p)
}

// putField writes the transport checksum of p.
func (l Layout) putField(p []byte, sum uint16) {
	if at, ok := l.field(p); ok {
		binary.BigEndian.PutUint16(p[at:], sum)
	}
}

// parseAny reads a TCP packet whose transport header lies at l4, behind whatever
// IP options or extension headers.
func parseAny(p []byte, l4 int) (l Layout, ok bool) {
	pkt, ok := ip.Read(p)
	if !ok || l4+ip.TCPSize > len(p) {
		return l, false
	}
	if h, is4 := pkt.V4(); is4 && l4 != h.HeaderLen() || !is4 && l4 < ip.V6Size {
		return l, false
	}
	_, l.V6 = pkt.V6()
	l.L4 = l4
	return l.transport(p, ip.ProtoTCP)
}
