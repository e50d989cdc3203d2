package tun

import "encoding/binary"

// maxHead bounds the headers of a super-packet, bytes.
const maxHead = 512

const (
	flagFIN = 0x01
	flagPSH = 0x08
	flagCWR = 0x80
)

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
	if !ok || !l.TCP || l.Head > maxHead || p.Segment == 0 {
		return false
	}
	s.l, s.data, s.size, s.whole = l, data, int(p.Segment), whole
	s.n = max(1, (len(data)-l.Head+s.size-1)/s.size)
	copy(s.head[:], data[:l.Head])
	t := s.head[l.L4:]
	s.seq, s.flags = binary.BigEndian.Uint32(t[4:]), t[13]
	s.psum = add(p.pseudo(l), ^uint16(len(data)-l.L4))
	t[16], t[17] = 0, 0
	if !l.V6 {
		s.id = binary.BigEndian.Uint16(data[4:])
		clear(s.head[2:6])
		clear(s.head[10:12])
		s.ipSum = sum(0, s.head[:l.L4])
	}
	return true
}

// Len is the number of segments.
func (s *Segments) Len() int { return s.n }

// Layout is where the headers of each segment end.
func (s *Segments) Layout() Layout { return s.l }

// Largest is the bytes of the largest segment with its headers.
func (s *Segments) Largest() int { return min(len(s.data), s.l.Head+s.size) }

// At makes segment i. Ask once for each, in order: making one spoils those
// before. The result aliases the super-packet.
func (s *Segments) At(i int) []byte {
	start, end := i*s.size, min(len(s.data), s.l.Head+(i+1)*s.size)
	seg := s.data[start:end:end]
	copy(seg, s.head[:s.l.Head])
	s.patchIP(seg, i)
	t := seg[s.l.L4:]
	binary.BigEndian.PutUint32(t[4:], s.seq+uint32(start))
	t[13] = s.flags
	if i > 0 {
		t[13] &^= flagCWR
	}
	if i < s.n-1 {
		t[13] &^= flagPSH | flagFIN
	}
	if s.whole {
		binary.BigEndian.PutUint16(t[16:], ^sum(add(s.psum, uint16(len(t))), t))
	}
	return seg
}

func (s *Segments) patchIP(seg []byte, i int) {
	if s.l.V6 {
		binary.BigEndian.PutUint16(seg[4:], uint16(len(seg)-header6))
		return
	}
	id := s.id + uint16(i)
	binary.BigEndian.PutUint16(seg[2:], uint16(len(seg)))
	binary.BigEndian.PutUint16(seg[4:], id)
	binary.BigEndian.PutUint16(seg[10:], ^add(add(s.ipSum, uint16(len(seg))), id))
}
