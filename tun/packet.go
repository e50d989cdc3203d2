package tun

import "encoding/binary"

// Headroom is how many bytes before Data Write needs for itself (the virtio-net
// header).
const Headroom = 10

// BatchSize is how many packets one Read can return: all segments of one
// super-packet of ordinary size.
const BatchSize = 128

// maxPacket is the largest IP packet in bytes.
const maxPacket = 65535

// Packet is one IP packet, or (where offload is on) one super-packet of TCP,
// inside a buffer with headroom: Buf[Off : Off+Len]. Partial says that the
// transport checksum is still to be computed, and that the packet is of the
// simple form that Parse reads. A super-packet without Partial has other headers:
// the checksums of its segments must be complete before they travel.
type Packet struct {
	Buf     []byte
	Off     int
	Len     int
	Segment uint16 // payload bytes of each segment; 0: one packet
	Partial bool

	l4 uint16 // of a super-packet of another form: where its TCP header lies
}

// Data is the packet's bytes; they alias Buf.
func (p *Packet) Data() []byte { return p.Buf[p.Off : p.Off+p.Len] }

func (p *Packet) layout() (Layout, bool) {
	if p.l4 != 0 {
		return parseAny(p.Data(), int(p.l4))
	}
	return Parse(p.Data())
}

// pseudo is the sum of the pseudo-header. Behind options or extension headers,
// which may name another destination, the kernel's own is in the checksum field.
func (p *Packet) pseudo(l Layout) uint16 {
	if p.l4 != 0 {
		if at, ok := l.field(p.Data()); ok {
			return binary.BigEndian.Uint16(p.Data()[at:])
		}
	}
	return l.pseudo(p.Data())
}

// room is the part of the buffer that Write may use: Headroom before the packet
// to the packet's end, with the rest of Buf as capacity (no more than the
// largest IP packet needs).
func (p *Packet) room() ([]byte, error) {
	if p.Segment != 0 || p.Partial {
		return nil, ErrOffload
	}
	return p.framed()
}

// framed is room without a look at what the packet is.
func (p *Packet) framed() ([]byte, error) {
	start, end := p.Off-Headroom, p.Off+p.Len
	if start < 0 || p.Len < 1 || p.Len > maxPacket || end < 0 || end > len(p.Buf) {
		return nil, ErrPacket
	}
	if v := p.Data()[0] >> 4; v != 4 && v != 6 { // Len is 1 at least
		return nil, ErrPacket
	}
	return p.Buf[start:end:min(len(p.Buf), p.Off+maxPacket)], nil
}

// Batch is a caller-owned run of packets for Read. Its buffers are reused: what
// Read returned is valid until the next Read into the same batch.
type Batch struct {
	Packets []Packet

	headroom int
	slab     []byte   // all buffers
	bufs     [][]byte // scratch of a plain Read
	sizes    []int
	n, next  int // of Place: packets so far, and where the next buffer begins
}

// NewBatch makes a batch of n packets in buffers of headroom+size bytes; size
// is the MTU or more, or what does not fit is dropped. Read puts each packet at
// offset headroom. A device with offload lays packets one after another into
// n*(headroom+size) bytes instead, which must be 64 KiB and more, and stops
// early when there is no room for a whole super-packet.
func NewBatch(n, size, headroom int) *Batch {
	b := &Batch{
		Packets:  make([]Packet, n),
		headroom: headroom,
		bufs:     make([][]byte, n),
		sizes:    make([]int, n),
	}
	room := headroom + size
	b.slab = make([]byte, n*room)
	for i := range b.Packets {
		b.Packets[i] = Packet{Buf: b.slab[i*room : (i+1)*room : (i+1)*room], Off: headroom}
	}
	return b
}

// Reset begins a Read that places packets itself.
func (b *Batch) Reset() { b.n, b.next = 0, 0 }

// Room is where the next packet goes, headroom first; nil when the batch is full.
func (b *Batch) Room() []byte {
	if b.n == len(b.Packets) || len(b.slab)-b.next < b.headroom+maxPacket {
		return nil
	}
	return b.slab[b.next:]
}

// Put enters the packet that was written into Room. Its Buf and Off are set here.
func (b *Batch) Put(p Packet) {
	end := b.next + b.headroom + p.Len
	p.Buf, p.Off = b.slab[b.next:end:end], b.headroom
	b.Packets[b.n] = p
	b.n++
	b.next = min(len(b.slab), (end+63)&^63)
}

// Len is how many packets were Put.
func (b *Batch) Len() int { return b.n }

// Headroom is the offset at which Read puts packets.
func (b *Batch) Headroom() int { return b.headroom }

// Offload reports whether a device gives and takes super-packets and partial
// checksums.
func Offload(dev Interface) bool {
	d, ok := dev.(interface{ Offload() bool })
	return ok && d.Offload()
}

// MTU is a device's MTU in bytes, the largest there is for one that has none.
func MTU(dev Interface) int {
	if d, ok := dev.(interface{ MTU() int }); ok {
		return d.MTU()
	}
	return maxPacket
}

// Interface is what the packet loops need of a device; Device and the memory
// device of package tuntest implement it.
type Interface interface {
	// Read blocks until there is at least one packet and returns how many are
	// in b.Packets. After an error nothing more will come: os.ErrClosed after
	// Close, ErrGone when the device was removed.
	Read(b *Batch) (int, error)
	// Write hands over packets, each with Headroom free bytes before it, and
	// returns how many were taken; an error says what became of the others.
	// It may overwrite all of Buf[Off-Headroom:len(Buf)] of any packet: packets
	// of one call must not share that part of a buffer. Without offload a Buf with
	// room for 64 KiB lets the device join packets and so take them faster; with
	// it each packet is written as it is. ErrOffload is the answer to a
	// super-packet or a partial checksum where there is no offload, or where
	// Partial is missing or Parse does not read it.
	Write(pkts []Packet) (int, error)
	Close() error
}
