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
	protocol byte
	body     []byte // from the upper layer's header on; of a later fragment, its data
	part     part
	id       uint32 // of a fragment
}

// read reads a packet, or the beginning of one that an ICMP error quotes. It reports
// false for what is cut short before the upper layer's header, or malformed.
func read(b []byte) (u upper, ok bool) {
	if h, is := ip.ReadV4(b); is {
		return readV4(h, b)
	}
	if h, is := ip.ReadV6(b); is {
		return readV6(h, b)
	}
	return u, false
}

func readV4(h *ip.V4, b []byte) (u upper, ok bool) {
	n := h.HeaderLen()
	if n < ip.V4Size || n > len(b) {
		return u, false
	}
	u = upper{src: h.Source(), dst: h.Destination(), protocol: h.Protocol(), body: b[n:]}
	if f := h.Fragment(); f&ip.FragmentMask != 0 {
		u.split(f&0x1fff != 0, uint32(h.ID()))
	}
	return u, true
}

func readV6(h *ip.V6, b []byte) (u upper, ok bool) {
	u = upper{src: h.Source(), dst: h.Destination(), protocol: h.NextHeader(), body: b[ip.V6Size:]}
	for range maxExtensions {
		if !isExtension(u.protocol) {
			return u, true
		}
		if len(u.body) < 8 {
			return u, false
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
				return u, false
			}
		}
		if n > len(u.body) {
			return u, false
		}
		u.protocol, u.body = u.body[0], u.body[n:]
		if u.part == later { // the rest is data
			return u, true
		}
	}
	return u, !isExtension(u.protocol)
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
