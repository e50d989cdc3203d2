package datapath

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// gatherBytes is what is copied to share a record with others; a super-packet of
// more is sealed from where it lies.
const gatherBytes = 16 << 10

// A packer puts packets into batch frames: small ones together, a large
// super-packet as it is, one seal and one record each (SPEC section 7.12). It
// belongs to one goroutine and keeps its memory.
type packer struct {
	frame  []byte // gathered so far
	in     count  // what is in frame
	counts []count
}

// batches reports whether tx's path takes whole batches.
func (tx *sender) batches() bool {
	return tx.path.Kind().Batches && tx.path.Room() >= wire.MaxBatch+wire.Overhead
}

// transmitBatches is transmit for a path that takes batches.
func (p *Peer) transmitBatches(tx *sender, pkts []*tun.Packet, out *outbound) {
	out.sealed.Reset()
	out.packer.counts = out.packer.counts[:0]
	for _, pkt := range pkts {
		p.pack(tx, pkt, out)
	}
	p.sealGathered(tx, out)
	p.sendBatches(tx, out)
}

// pack enters one packet, and sends when enough has been sealed.
func (p *Peer) pack(tx *sender, pkt *tun.Packet, out *outbound) {
	whole := !pkt.Partial || !tx.epoch.Partial()
	if pkt.Segment == 0 || !out.segments.Start(pkt, whole) {
		p.gather(tx, single(pkt, whole), 0, count{1, pkt.Len}, out)
		return
	}
	s := &out.segments
	n := s.Len()
	c := count{n, pkt.Len + (n-1)*s.Layout().Head}
	switch {
	case whole || !mayTravelWhole(pkt.Data(), s.Layout(), pkt.Segment):
		for i := range n {
			seg := s.At(i)
			if !whole {
				wire.SetPartial(seg)
			}
			p.gather(tx, seg, 0, count{1, len(seg)}, out)
		}
	case pkt.Len <= gatherBytes:
		p.gather(tx, single(pkt, false), pkt.Segment, c, out)
	default:
		p.sealGathered(tx, out)
		single(pkt, false)
		plain := pkt.Buf[pkt.Off-wire.BatchHeaderSize : pkt.Off+pkt.Len]
		wire.PutBatchHeader(plain, pkt.Len, pkt.Segment)
		p.sealBatch(tx, plain, c, out)
	}
}

// mayTravelWhole reports whether a super-packet is one that a receiver takes.
func mayTravelWhole(data []byte, l tun.Layout, segment uint16) bool {
	t, ok := l.TCPHeader(data)
	return ok && segment >= wire.MinSegment && t.Flags()&ip.ACK != 0 && t.Flags()&tcpAlone == 0
}

// gather copies a packet behind those that share its record.
func (p *Peer) gather(tx *sender, data []byte, segment uint16, c count, out *outbound) {
	g := &out.packer
	if len(g.frame)+wire.BatchHeaderSize+len(data) > wire.MaxBatch {
		p.sealGathered(tx, out)
	}
	if g.frame == nil {
		g.frame = make([]byte, 0, wire.MaxBatch)
	}
	at := len(g.frame)
	g.frame = g.frame[:at+wire.BatchHeaderSize]
	wire.PutBatchHeader(g.frame[at:], len(data), segment)
	g.frame = append(g.frame, data...)
	g.in.packets, g.in.bytes = g.in.packets+c.packets, g.in.bytes+c.bytes
}

func (p *Peer) sealGathered(tx *sender, out *outbound) {
	g := &out.packer
	if len(g.frame) > 0 {
		p.sealBatch(tx, g.frame, g.in, out)
		g.frame, g.in = g.frame[:0], count{}
	}
}

// sealBatch seals one record of c packets.
func (p *Peer) sealBatch(tx *sender, plain []byte, c count, out *outbound) {
	if len(out.sealed.Buf) > 0 && len(out.sealed.Buf)+len(plain) > chunkBytes {
		p.sendBatches(tx, out)
	}
	w, err := tx.epoch.Begin(&out.sealed, tx.path.Kind().Space, 1, len(plain))
	if err != nil {
		tx.traffic.Drop(link.DropLimit, c.packets)
		return
	}
	w.Seal(plain)
	w.End()
	out.packer.counts = append(out.packer.counts, c)
}

// sendBatches sends what is sealed, in one call.
func (p *Peer) sendBatches(tx *sender, out *outbound) {
	counts := out.packer.counts
	if len(counts) == 0 {
		return
	}
	n, err := tx.path.Send(&out.sealed)
	var sent, refused count
	for i, c := range counts {
		to := &sent
		if i >= n {
			to = &refused
		}
		to.packets, to.bytes = to.packets+c.packets, to.bytes+c.bytes
	}
	if refused.packets > 0 {
		tx.traffic.Drop(dropOf(err), refused.packets)
	}
	tx.traffic.Sent(tx.path.Kind(), sent.packets, sent.bytes)
	out.sealed.Reset()
	out.packer.counts = counts[:0]
}
