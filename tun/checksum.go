package tun

import "github.com/libertaria-project/l2tun/internal/packet/ip"

// pseudo is the sum of the pseudo-header of packet p.
func (l Layout) pseudo(p []byte) (s uint16) {
	if h, ok := ip.ReadV6(p); ok {
		s = ip.Sum(0, h.Addresses()[:])
	} else if h, ok := ip.ReadV4(p); ok {
		s = ip.Sum(0, h.Addresses()[:])
	}
	proto := uint16(ip.ProtoUDP)
	if l.TCP {
		proto = ip.ProtoTCP
	}
	return ip.Add(ip.Add(s, proto), uint16(len(p)-l.L4))
}

// complete writes the transport checksum of p, which was read as l.
func (l Layout) complete(p []byte) {
	l.putField(p, 0)
	c := ^ip.Sum(l.pseudo(p), p[l.L4:])
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
	return ok && h.HeaderLen() == ip.V4Size && ip.Sum(0, h[:]) == 0xffff
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
		h.SetChecksum(^ip.Sum(0, p[:h.HeaderLen()]))
	}
}
