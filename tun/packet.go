package tun

// Headroom is how many bytes before Data Write needs for itself (the virtio-net
// header).
const Headroom = 10

// BatchSize is how many packets one Read can return: all segments of one
// super-packet of ordinary size.
const BatchSize = 128

// maxPacket is the largest IP packet in bytes.
const maxPacket = 65535

// Packet is one IP packet, or (once offload is on) one super-packet, inside a
// buffer with headroom: Buf[Off : Off+Len].
type Packet struct {
	Buf     []byte
	Off     int
	Len     int
	Segment uint16 // payload bytes of each segment; 0: a plain packet
	Partial bool   // the transport checksum covers the pseudo-header only
}

// Data is the packet's bytes; they alias Buf.
func (p *Packet) Data() []byte { return p.Buf[p.Off : p.Off+p.Len] }

// room is the part of the buffer that Write may use: Headroom before the packet
// to the packet's end, with the rest of Buf as capacity (no more than the
// largest IP packet needs).
func (p *Packet) room() ([]byte, error) {
	if p.Segment != 0 || p.Partial {
		return nil, ErrOffload
	}
	start, end := p.Off-Headroom, p.Off+p.Len
	if start < 0 || p.Len < 1 || p.Len > maxPacket || end < 0 || end > len(p.Buf) {
		return nil, ErrPacket
	}
	if v := p.Buf[p.Off] >> 4; v != 4 && v != 6 {
		return nil, ErrPacket
	}
	return p.Buf[start:end:min(len(p.Buf), p.Off+maxPacket)], nil
}

// Batch is a caller-owned run of packets for Read. Its buffers are reused: what
// Read returned is valid until the next Read into the same batch.
type Batch struct {
	Packets []Packet

	headroom int
	bufs     [][]byte // scratch of Read
	sizes    []int
}

// NewBatch makes a batch of n packets in buffers of headroom+size bytes; size
// is the MTU or more, or what does not fit is dropped. Read puts each packet at
// offset headroom.
func NewBatch(n, size, headroom int) *Batch {
	b := &Batch{
		Packets:  make([]Packet, n),
		headroom: headroom,
		bufs:     make([][]byte, n),
		sizes:    make([]int, n),
	}
	room := headroom + size
	slab := make([]byte, n*room)
	for i := range b.Packets {
		b.Packets[i] = Packet{Buf: slab[i*room : (i+1)*room : (i+1)*room], Off: headroom}
	}
	return b
}

// Headroom is the offset at which Read puts packets.
func (b *Batch) Headroom() int { return b.headroom }

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
	// of one call must not share that part of a buffer. A Buf with room for
	// 64 KiB lets the device join packets and so take them faster.
	Write(pkts []Packet) (int, error)
	Close() error
}
