package filter

import (
	"encoding/binary"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

const (
	// maxExtensions is how many extension headers of IPv6 are passed over.
	maxExtensions = 8

	hopByHop    = 0
	routing     = 43
	fragment    = 44
	auth        = 51
	destination = 60
)

func isExtension(protocol byte) bool {
	switch protocol {
	case hopByHop, routing, fragment, auth, destination:
		return true
	}
	return false
}

// A part says which part of a packet is there.
type part uint8

const (
	whole part = iota
	first      // fragment, which has the upper header
	later
)

// An upper is a packet as far as it is looked at.
type upper struct {
	src, dst netip.Addr
	addrs    []byte // both, as they are in the packet
	protocol byte
	body     []byte // from the upper layer's header on; of a later fragment, its data
	part     part
	id       uint32 // of a fragment
}

// read reads a packet, or the beginning of one that an ICMP error quotes, into u, which is
// zero. It reports false for what is cut short before the upper layer's header, or
// malformed. (A result would be copied from function to function, which takes as long as
// all the rest.)
func (u *upper) read(b []byte) bool {
	if h, is := ip.ReadV4(b); is {
		return u.readV4(h, b)
	}
	if h, is := ip.ReadV6(b); is {
		return u.readV6(h, b)
	}
	return false
}

func (u *upper) readV4(h *ip.V4, b []byte) bool {
	n := h.HeaderLen()
	if n < ip.V4Size || n > len(b) {
		return false
	}
	u.src, u.dst, u.addrs, u.protocol, u.body = h.Source(), h.Destination(), h.Addresses()[:], h.Protocol(), b[n:]
	if f := h.Fragment(); f&ip.FragmentMask != 0 {
		u.split(f&0x1fff != 0, uint32(h.ID()))
	}
	return true
}

func (u *upper) readV6(h *ip.V6, b []byte) bool {
	u.src, u.dst, u.addrs, u.protocol, u.body = h.Source(), h.Destination(), h.Addresses()[:], h.NextHeader(), b[ip.V6Size:]
	for range maxExtensions {
		if !isExtension(u.protocol) {
			return true
		}
		if len(u.body) < 8 {
			return false
		}
		n := (int(u.body[1]) + 1) * 8
		switch u.protocol {
		case fragment:
			n = 8
			if at := binary.BigEndian.Uint16(u.body[2:]); at&0xfff9 != 0 { // else it is one of one
				u.split(at&0xfff8 != 0, binary.BigEndian.Uint32(u.body[4:]))
			}
		case auth:
			n = (int(u.body[1]) + 2) * 4
		case routing:
			if u.body[2] == 0 { // deprecated, RFC 5095
				return false
			}
		}
		if n > len(u.body) {
			return false
		}
		u.protocol, u.body = u.body[0], u.body[n:]
		if u.part == later { // the rest is data
			return true
		}
	}
	return !isExtension(u.protocol)
}

func (u *upper) split(isLater bool, id uint32) {
	u.part, u.id = first, id
	if isLater {
		u.part = later
	}
}

// ports are those of TCP and UDP; false if they are not there.
func (u *upper) ports() (src, dst uint16, ok bool) {
	if len(u.body) < 4 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(u.body), binary.BigEndian.Uint16(u.body[2:]), true
}

// Target is the protocol of a packet and the port that it goes to, for people; zero is
// what cannot be told.
func Target(p ip.Packet) (protocol uint8, port uint16) {
	var u upper
	u.read(p.Bytes())
	if u.part != later && (u.protocol == ip.ProtoTCP || u.protocol == ip.ProtoUDP) {
		_, port, _ = u.ports()
	}
	return u.protocol, port
}
