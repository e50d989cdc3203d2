package ip

import (
	"encoding/binary"
	"net/netip"
)

// MaxError is the largest ICMP error that AppendUnreachable makes, bytes.
const MaxError = 1280

const (
	errorTTL   = 64
	icmpHeader = 8
	largest4   = 576 // RFC 1812 4.3.2.3

	unreachable4, host4    = 3, 1 // destination unreachable: host
	unreachable6, address6 = 1, 3 // destination unreachable: address
)

// AppendUnreachable appends the ICMP error that tells the sender of p that its
// destination cannot be reached: host unreachable (RFC 792), or address
// unreachable (RFC 4443). It comes from the destination itself: a kernel drops
// what enters by a device and says that it is from one of the host's own
// addresses. It reports false, and appends nothing, for what must not be
// answered (RFC 1122 3.2.2, RFC 4443 2.4): an ICMP error, a fragment other than
// the first, and a packet to or from what is not one host's address.
func AppendUnreachable(b []byte, p Packet) ([]byte, bool) {
	if !unicast(p.Source()) || !unicast(p.Destination()) {
		return b, false
	}
	if h, ok := p.V4(); ok {
		return unreachableV4(b, p, h)
	}
	h, ok := p.V6()
	if !ok {
		return b, false
	}
	return unreachableV6(b, p, h)
}

// unicast reports whether an address can be that of one host, beyond the host itself.
func unicast(a netip.Addr) bool {
	if a.Is4() && a.As4()[0] >= 240 {
		return false
	}
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.Is4In6()
}

func unreachableV4(b []byte, p Packet, h *V4) ([]byte, bool) {
	const offset = 0x1fff
	if h.Fragment()&offset != 0 || h.Protocol() == ProtoICMP && !isQuestion(p.Payload(), 0, 8, 13, 15, 17) {
		return b, false
	}
	body := p.b[:min(len(p.b), largest4-V4Size-icmpHeader)]
	at := len(b)
	b = append(b, make([]byte, V4Size+icmpHeader)...)
	head, icmp := (*V4)(b[at:]), b[at+V4Size:]
	head[0], head[1], head[8], head[9] = 0x45, 0xc0, errorTTL, ProtoICMP
	head.SetLen(V4Size + icmpHeader + len(body))
	copy(head[12:16], h[16:20])
	copy(head[16:20], h[12:16])
	head.SetChecksum(^Sum(0, head[:]))
	icmp[0], icmp[1] = unreachable4, host4
	binary.BigEndian.PutUint16(icmp[2:], ^Sum(Sum(0, icmp), body))
	return append(b, body...), true
}

func unreachableV6(b []byte, p Packet, h *V6) ([]byte, bool) {
	next, rest := p.upper()
	if next == protoFragment || next == ProtoICMPv6 && (len(rest) == 0 || rest[0] < 128 || rest[0] == redirect6) {
		return b, false
	}
	body := p.b[:min(len(p.b), MaxError-V6Size-icmpHeader)]
	at := len(b)
	b = append(b, make([]byte, V6Size+icmpHeader)...)
	head, icmp := (*V6)(b[at:]), b[at+V6Size:]
	head[0], head[6], head[7] = 0x60, ProtoICMPv6, errorTTL
	head.SetPayloadLen(icmpHeader + len(body))
	copy(head[8:24], h[24:40])
	copy(head[24:40], h[8:24])
	icmp[0], icmp[1] = unreachable6, address6
	pseudo := Add(Add(Sum(0, head.Addresses()[:]), ProtoICMPv6), uint16(icmpHeader+len(body)))
	binary.BigEndian.PutUint16(icmp[2:], ^Sum(Sum(pseudo, icmp), body))
	return append(b, body...), true
}

const redirect6 = 137

// isQuestion reports whether an ICMP message is of one of the types.
func isQuestion(icmp []byte, types ...byte) bool {
	if len(icmp) == 0 {
		return false
	}
	for _, t := range types {
		if icmp[0] == t {
			return true
		}
	}
	return false
}

// Extension headers of IPv6 that end with another header.
const (
	protoHopByHop = 0
	protoRouting  = 43
	protoFragment = 44
	protoOptions  = 60
)

// maxExtensions bounds the walk over extension headers; a longer chain ends as an
// unknown protocol.
const maxExtensions = 8

// upper is the protocol behind the extension headers of an IPv6 packet, and its
// bytes. A first fragment is walked over; for another one the protocol is that of
// the fragment header. A chain that is cut off or too long has protocol fragment
// too: nothing can be said about what it carries.
func (p Packet) upper() (proto byte, rest []byte) {
	proto, rest = p.v6.NextHeader(), p.Payload()
	for range maxExtensions {
		size := 0
		switch proto {
		case protoHopByHop, protoRouting, protoOptions:
			if len(rest) < 8 {
				return protoFragment, nil
			}
			size = 8 + 8*int(rest[1])
		case protoFragment:
			if len(rest) < 8 || binary.BigEndian.Uint16(rest[2:4])&0xfff8 != 0 {
				return protoFragment, nil
			}
			size = 8
		default:
			return proto, rest
		}
		if size > len(rest) {
			return protoFragment, nil
		}
		proto, rest = rest[0], rest[size:]
	}
	return protoFragment, nil
}
