package datapath

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/tun"
)

const (
	inboundSize  = 64        // packets of one TUN write
	inboundBytes = 256 << 10 // memory of a receive, with offload
	spareInbound = 4         // receives that usually run at once
)

// An inbound is the memory of one receive that is under way: packets one after
// another in a slab, each with its headroom; the last may be a super-packet that
// still grows.
type inbound struct {
	slab   []byte
	stride int // of a device that joins by itself: bytes for each packet; else 0
	pkts   [inboundSize]tun.Packet
	counts [inboundSize]count
	n      int
	next   int // where the next packet goes, while no super-packet grows
	super  super
	saved  [maxSuperHead]byte

	apart    []byte // with stride: a batch before its packets are laid out
	segments tun.Segments

	peer    *Peer // whose packets these are
	live    *awake
	carrier *link.Kind
	judged  *judged // rules of the peer; nil: none
	second  int64   // of these records, for judged
}

// A count is how much the peer sent that is one packet now.
type count struct{ packets, bytes int }

func newInbound(offload bool) *inbound {
	in := &inbound{next: tun.Headroom}
	if offload {
		in.slab = make([]byte, inboundBytes)
		return in
	}
	in.stride = tun.Headroom + packetSize
	in.slab = make([]byte, inboundSize*in.stride)
	return in
}

// spare is the memory of receives that are over. Receives beyond it make their own.
type spare struct {
	offload bool
	all     chan *inbound
}

func (s *spare) borrow() *inbound {
	select {
	case in := <-s.all:
		return in
	default:
		return newInbound(s.offload)
	}
}

func (s *spare) giveBack(in *inbound) {
	select {
	case s.all <- in:
	default:
	}
}

// full reports that there may be no room for another record.
func (in *inbound) full() bool {
	return in.n == len(in.pkts) || in.n > 0 && len(in.slab)-in.place() < packetSize
}

// place is where a packet goes that does not join the super-packet.
func (in *inbound) place() int {
	if in.super.open {
		return after(in.super.end)
	}
	return in.next
}

// after is where a packet begins behind one that ends at end.
func after(end int) int { return (end+63)&^63 + tun.Headroom }

// space is room for one packet at place.
func (in *inbound) space() []byte {
	at := in.place()
	return in.slab[at : at+packetSize : at+packetSize]
}

// open opens a record to place, or, when it continues the super-packet, so that its
// payload lands behind it: then plain is nil.
func (in *inbound) open(e *record.Epoch, rec []byte) (plain []byte, v record.Verdict) {
	if in.takesBatch(rec) {
		return in.openBatch(e, rec)
	}
	if in.super.mayTake(len(rec)) {
		return in.openBehind(e, rec)
	}
	return e.OpenTo(in.space()[:0], rec)
}

// openBehind opens a record with its headers over the tail of the super-packet,
// which is restored in every case.
func (in *inbound) openBehind(e *record.Epoch, rec []byte) ([]byte, record.Verdict) {
	r := &in.super
	at := r.end - r.l.Head
	tail := in.saved[:copy(in.saved[:], in.slab[at:r.end])]
	plain, v := e.OpenTo(in.slab[at:at:len(in.slab)], rec)
	if v == record.Opened && r.joins(plain) {
		copy(in.slab[at:], tail)
		c := &in.counts[in.n-1]
		c.packets, c.bytes = c.packets+1, c.bytes+len(plain)
		if r.ended() {
			in.endSuper()
		}
		return nil, v
	}
	if v == record.Opened {
		plain = in.space()[:copy(in.space(), plain)]
	}
	copy(in.slab[at:], tail)
	return plain, v
}

// add enters the packet that lies at place.
func (in *inbound) add(data []byte, l tun.Layout, partial bool) {
	at := in.place()
	in.endSuper()
	in.enter(at, len(data), partial, 0, count{1, len(data)})
	if partial {
		in.super.begin(data, l, at)
	}
}

// enter enters a packet that lies anywhere.
func (in *inbound) enter(at, n int, partial bool, segment uint16, c count) {
	p := tun.Packet{Buf: in.slab[at-tun.Headroom : at+n : at+n], Off: tun.Headroom, Len: n, Segment: segment, Partial: partial}
	if in.stride > 0 {
		p.Buf = in.slab[at-tun.Headroom : at+packetSize : at+packetSize]
	}
	in.pkts[in.n], in.counts[in.n] = p, c
	in.n++
	if in.next = after(at + n); in.stride > 0 {
		in.next = in.n*in.stride + tun.Headroom
	}
}

// endSuper makes a packet of the super-packet: nothing joins it any more.
func (in *inbound) endSuper() {
	r := &in.super
	if !r.open {
		return
	}
	r.open = false
	in.next = after(r.end)
	if r.count == 1 {
		return
	}
	p := &in.pkts[in.n-1]
	p.Buf = in.slab[r.base-tun.Headroom : r.end : r.end]
	p.Len, p.Segment = r.end-r.base, uint16(r.size)
	r.finish(p.Data())
}
