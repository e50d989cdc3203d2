package tun

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// A virtioHeader is struct virtio_net_hdr, which stands before each packet on
// the descriptor, in the machine's byte order.
type virtioHeader struct {
	flags, gsoType        byte
	headLen, segment      uint16
	csumStart, csumOffset uint16
}

// cutVirtio splits what one read gave into header and packet; false if there is
// no byte of a packet.
func cutVirtio(b []byte) (h virtioHeader, packet []byte, ok bool) {
	if len(b) <= Headroom {
		return h, nil, false
	}
	f := (*[Headroom]byte)(b)
	return virtioHeader{f[0], f[1], binary.NativeEndian.Uint16(f[2:4]), binary.NativeEndian.Uint16(f[4:6]),
		binary.NativeEndian.Uint16(f[6:8]), binary.NativeEndian.Uint16(f[8:10])}, b[Headroom:], true
}

func (h virtioHeader) put(b []byte) {
	_ = b[Headroom-1]
	b[0], b[1] = h.flags, h.gsoType
	binary.NativeEndian.PutUint16(b[2:], h.headLen)
	binary.NativeEndian.PutUint16(b[4:], h.segment)
	binary.NativeEndian.PutUint16(b[6:], h.csumStart)
	binary.NativeEndian.PutUint16(b[8:], h.csumOffset)
}

// received turns the kernel's header of packet data into p. What is not of the
// simple form is checksummed here, or keeps its place of the TCP header.
func (h virtioHeader) received(data []byte) (p Packet, ok bool) {
	p.Len = len(data)
	l, simple := Parse(data)
	at, has := l.field(data)
	simple = simple && has && int(h.csumStart) == l.L4 && int(h.csumStart)+int(h.csumOffset) == at
	switch {
	case h.gsoType == unix.VIRTIO_NET_HDR_GSO_NONE && h.flags&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM == 0:
		return p, true
	case h.gsoType == unix.VIRTIO_NET_HDR_GSO_NONE && simple:
		p.Partial = true
		return p, true
	case h.gsoType == unix.VIRTIO_NET_HDR_GSO_NONE:
		return p, h.complete(data)
	case h.gsoType != unix.VIRTIO_NET_HDR_GSO_TCPV4 && h.gsoType != unix.VIRTIO_NET_HDR_GSO_TCPV6:
		return p, false // never asked for
	}
	p.Segment = h.segment
	if p.Partial = simple && l.TCP; !p.Partial {
		p.l4 = h.csumStart
		l, ok = parseAny(data, int(h.csumStart))
		return p, ok && l.Head <= maxHead && p.Segment > 0
	}
	return p, p.Segment > 0
}

// complete computes the checksum that the kernel left open, of any protocol: its
// field holds the sum of the pseudo-header.
func (h virtioHeader) complete(data []byte) bool {
	start, at := int(h.csumStart), int(h.csumStart)+int(h.csumOffset)
	if start > len(data) || at+2 > len(data) {
		return false
	}
	c := ^ip.Sum(0, data[start:])
	if c == 0 {
		c = 0xffff // the same in ones' complement, and never UDP's "none"
	}
	binary.BigEndian.PutUint16(data[at:], c)
	return true
}

// headerOf builds the header of a packet that is written, and in the packet what
// belongs to it.
func headerOf(p *Packet) (h virtioHeader, err error) {
	if p.Segment == 0 && !p.Partial {
		return h, nil
	}
	data := p.Data()
	l, ok := Parse(data)
	at, has := l.field(data)
	if !ok || !has || !p.Partial || p.Segment != 0 && !l.TCP {
		return h, ErrOffload
	}
	l.prepare(data)
	h = virtioHeader{flags: unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, headLen: uint16(l.Head),
		csumStart: uint16(l.L4), csumOffset: uint16(at - l.L4)}
	if p.Segment != 0 && len(data)-l.Head > int(p.Segment) {
		h.segment, h.gsoType = p.Segment, unix.VIRTIO_NET_HDR_GSO_TCPV4
		if l.V6 {
			h.gsoType = unix.VIRTIO_NET_HDR_GSO_TCPV6
		}
	}
	return h, nil
}
