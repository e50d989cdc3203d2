package packetgen

import (
	"encoding/binary"
	"net/netip"
)

// A Gen makes packets of a few flows between two hosts.
type Gen struct {
	Src4, Dst4 netip.Addr
	Src6, Dst6 netip.Addr
	// Simple leaves out what is not of the simple form (SPEC 7.4): options of IP,
	// fragments, extension headers, and protocols but TCP and UDP.
	Simple bool

	last *tcp // of the flow under way; what continues it joins a run
}

type tcp struct {
	v6      bool
	options int
	ttl     byte
	size    int // payload of each packet
	seq     uint32
	id      uint16
}

// Numbers of protocols.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoICMPv6   = 58
	protoOptions  = 60
)

// Packet is one valid IP packet.
func (g *Gen) Packet(s *Source) []byte {
	if s.N(3) == 0 {
		return g.flow(s)
	}
	v6 := s.Bool()
	proto, body := g.body(s, v6)
	if v6 {
		return g.v6(s, proto, body)
	}
	return g.v4(s, proto, body)
}

// body is a transport header with payload.
func (g *Gen) body(s *Source, v6 bool) (proto byte, body []byte) {
	kinds := 4
	if g.Simple {
		kinds = 2
	}
	switch s.N(kinds) {
	case 0:
		h := tcpHeader(s.N(11), uint32(s.Byte())<<24, s.Byte())
		return protoTCP, append(h, payload(s)...)
	case 1:
		p := payload(s)
		h := []byte{0x10, 1, 0x14, 0x51, 0, 0, 0, 0}
		binary.BigEndian.PutUint16(h[4:], uint16(8+len(p)))
		return protoUDP, append(h, p...)
	case 2:
		h := []byte{One(s, byte(8), 0, 3, 5, 11), s.Byte(), 0, 0, 0, 1, 0, 1}
		if v6 {
			h[0] = One(s, byte(128), 129, 1, 2, 133, 137)
			return protoICMPv6, append(h, payload(s)...)
		}
		return protoICMP, append(h, payload(s)...)
	}
	return s.Byte(), payload(s)
}

// payload is of a length that matters somewhere.
func payload(s *Source) []byte {
	n := 0
	switch s.N(4) {
	case 0:
		n = s.N(12)
	case 1:
		n = s.N(256)
	case 2:
		n = One(s, 511, 512, 513, 1000, 1200, 1360, 1380, 1400)
	case 3:
		n = s.N(6000)
	}
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i)
	}
	return p
}

// tcpHeader has so many words of options.
func tcpHeader(options int, seq uint32, flags byte) []byte {
	h := make([]byte, 20+4*options)
	h[0], h[1], h[2], h[3] = 0x10, 0, 0x14, 0x51
	binary.BigEndian.PutUint32(h[4:], seq)
	h[12], h[13] = byte(5+options)<<4, flags
	h[14] = 0x20
	for i := 20; i < len(h); i++ {
		h[i] = 1
	}
	return h
}

// flow is the next packet of the flow under way, or begins one.
func (g *Gen) flow(s *Source) []byte {
	if g.last == nil || s.N(8) == 0 {
		g.last = &tcp{v6: s.Bool(), options: One(s, 3, 0, 10), ttl: 64, size: One(s, 30, 1, 600, 1360), seq: uint32(s.Byte()) << 24, id: uint16(s.Byte()) << 8}
	}
	t := g.last
	size, flags := t.size, byte(0x10)
	switch s.N(8) {
	case 0:
		size = s.N(t.size + 1)
	case 1:
		flags = s.Byte()
	case 2:
		flags = 0x18
	}
	body := append(tcpHeader(t.options, t.seq, flags), make([]byte, size)...)
	t.seq += uint32(size)
	t.id++
	if t.v6 {
		return g.head6(protoTCP, t.ttl, body)
	}
	return g.head4(protoTCP, t.ttl, t.id, 0x4000, nil, body)
}

func (g *Gen) v4(s *Source, proto byte, body []byte) []byte {
	var options []byte
	fragment := One(s, uint16(0x4000), 0)
	if !g.Simple {
		words := s.N(11) // mostly few
		options = make([]byte, 4*(words&s.N(11)))
		for i := range options {
			options[i] = 1
		}
		fragment |= One(s, uint16(0), 0, 0x2000, 1, 0x2001, 0x1fff)
	}
	return g.head4(proto, s.Byte(), uint16(s.Byte()), fragment, options, body)
}

func (g *Gen) head4(proto, ttl byte, id, fragment uint16, options, body []byte) []byte {
	h := make([]byte, 20, 20+len(options)+len(body))
	h = append(h, options...)
	h[0], h[8], h[9] = 0x40|byte(len(h)/4), ttl, proto
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(body)))
	binary.BigEndian.PutUint16(h[4:], id)
	binary.BigEndian.PutUint16(h[6:], fragment)
	copy(h[12:], g.Src4.AsSlice())
	copy(h[16:], g.Dst4.AsSlice())
	binary.BigEndian.PutUint16(h[10:], ^checksum(h))
	return append(h, body...)
}

func (g *Gen) v6(s *Source, proto byte, body []byte) []byte {
	if g.Simple {
		return g.head6(proto, s.Byte(), body)
	}
	headers := s.N(4)            // mostly few
	for range headers & s.N(4) { // from the inside to the outside
		h := make([]byte, 8, 8+len(body))
		kind := One(s, byte(protoOptions), protoRouting, protoFragment, protoHopByHop)
		h[0] = proto
		if kind == protoFragment {
			binary.BigEndian.PutUint16(h[2:], One(s, uint16(0), 1, 8, 9, 0xfff8))
		} else if n := s.N(3); n > 0 {
			h[1] = byte(n)
			h = append(h, make([]byte, 8*n)...)
		}
		proto, body = kind, append(h, body...)
	}
	return g.head6(proto, s.Byte(), body)
}

func (g *Gen) head6(next, hops byte, body []byte) []byte {
	h := make([]byte, 40, 40+len(body))
	h[0], h[6], h[7] = 0x60, next, hops
	binary.BigEndian.PutUint16(h[4:], uint16(len(body)))
	copy(h[8:], g.Src6.AsSlice())
	copy(h[24:], g.Dst6.AsSlice())
	return append(h, body...)
}

func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
