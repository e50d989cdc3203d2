package tun

import "github.com/libertaria-project/l2tun/internal/packet/ip"

// maxHead bounds the headers of a super-packet, bytes.
const maxHead = 512

// Segments takes a super-packet apart in place: in front of each payload it
// writes the segment's headers, over the tail of the payload before. What it
// makes is what the kernel would have sent (SPEC section 7). The zero value is
// empty; it keeps memory of its own only.
type Segments struct {
	l     Layout
	data  []byte
	size  int // payload bytes of each but the last
	n     int
	whole bool // with complete checksums

	head  [maxHead]byte // the headers, with length, id, flags and checksums neutral
	seq   uint32
	id    uint16
	ipSum uint16
	psum  uint16 // of the pseudo-header without its length
	flags byte
}

// Start begins with a packet of Segment > 0. With whole, segments get complete
// checksums, else their checksum field is zero. It reports false for what is no
// super-packet of TCP.
func (s *Segments) Start(p *Packet, whole bool) bool {
	data := p.Data()
	l, ok := p.layout()
	if !ok || p.Segment == 0 {
		return false
	}
	h, ok := l.segmentable(data)
	if !ok {
		return false
	}
	s.l, s.data, s.size, s.whole = l, data, int(p.Segment), whole
	s.n = max(1, (len(data)-l.Head+s.size-1)/s.size)
	s.seq, s.flags = h.Seq(), h.Flags()
	s.psum = ip.Add(p.pseudo(l), ^uint16(len(data)-l.L4))
	head := s.head[:copy(s.head[:], data[:l.Head])]
	if t, ok := l.TCPHeader(head); ok {
		t.SetChecksum(0)
	}
	if h, ok := ip.ReadV4(head); ok {
		s.id = h.ID()
		h.SetLen(0)
		h.SetID(0)
		h.SetChecksum(0)
		s.ipSum = ip.Sum(0, head[:l.L4])
	}
	return true
}

// Len is the number of segments.
func (s *Segments) Len() int { return s.n }

// Layout is where the headers of each segment end.
func (s *Segments) Layout() Layout { return s.l }

// Largest is the bytes of the largest segment with its headers.
func (s *Segments) Largest() int { return min(len(s.data), s.l.Head+s.size) }

// At makes segment i, below Len. Ask once for each, in order: making one spoils
// those before. The result aliases the super-packet.
func (s *Segments) At(i int) []byte {
	start, end := i*s.size, min(len(s.data), s.l.Head+(i+1)*s.size)
	seg := s.data[start:end:end]
	copy(seg, s.head[:s.l.Head])
	s.patchIP(seg, i)
	t, ok := s.l.TCPHeader(seg)
	if !ok {
		return seg // never: Start has seen one of the same length
	}
	t.SetSeq(s.seq + uint32(start))
	flags := s.flags
	if i > 0 {
		flags &^= ip.CWR
	}
	if i < s.n-1 {
		flags &^= ip.PSH | ip.FIN
	}
	t.SetFlags(flags)
	if s.whole {
		tcp := seg[s.l.L4:]
		t.SetChecksum(^ip.Sum(ip.Add(s.psum, uint16(len(tcp))), tcp))
	}
	return seg
}

func (s *Segments) patchIP(seg []byte, i int) {
	if h, ok := ip.ReadV6(seg); ok {
		h.SetPayloadLen(len(seg) - ip.V6Size)
		return
	}
	if h, ok := ip.ReadV4(seg); ok {
		id := s.id + uint16(i)
		h.SetLen(len(seg))
		h.SetID(id)
		h.SetChecksum(^ip.Add(ip.Add(s.ipSum, uint16(len(seg))), id))
	}
}
