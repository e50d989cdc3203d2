package datapath

import (
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// A chunk is the packets that are sealed and sent together.
type chunk struct {
	packets int
	records int // one for each packet, one for each segment of a super-packet
	bytes   int // of plaintext
	largest int // plaintext of one record, bytes
}

// measure finds the first chunk of pkts, which holds one packet at least.
func (o *outbound) measure(pkts []*tun.Packet) (c chunk) {
	for c.packets < len(pkts) {
		p := pkts[c.packets]
		n, bytes, largest := 1, p.Len, p.Len
		if p.Segment != 0 && o.segments.Start(p, false) {
			n, largest = o.segments.Len(), o.segments.Largest()
			bytes += (n - 1) * o.segments.Layout().Head
		}
		if c.packets > 0 && c.bytes+bytes+(c.records+n)*wire.Overhead > chunkBytes {
			break
		}
		c = chunk{c.packets + 1, c.records + n, c.bytes + bytes, max(c.largest, largest)}
	}
	return c
}

// seal seals a chunk into out.sealed. Room is the largest plaintext of a record.
func (p *Peer) seal(tx *sender, pkts []*tun.Packet, c chunk, room int, out *outbound) error {
	space := tx.path.Kind().Space
	if c.largest > room {
		return p.sealHalves(tx, pkts, space, room, out)
	}
	w, err := tx.epoch.Begin(&out.sealed, space, c.records, c.bytes)
	if err != nil {
		return err
	}
	defer w.End()
	for _, pkt := range pkts {
		whole := !pkt.Partial || !tx.epoch.Partial()
		if pkt.Segment == 0 || !out.segments.Start(pkt, whole) {
			w.Seal(single(pkt, whole))
			continue
		}
		for i := range out.segments.Len() {
			seg := out.segments.At(i)
			if !whole {
				wire.SetPartial(seg)
			}
			w.Seal(seg)
		}
	}
	return nil
}

// single is the plaintext of a packet that is no super-packet.
func single(pkt *tun.Packet, whole bool) []byte {
	data := pkt.Data()
	switch {
	case !pkt.Partial:
	case whole:
		tun.Complete(data)
	default:
		wire.SetPartial(data)
	}
	return data
}

// sealHalves seals packets of which some are larger than a record, without offload:
// every checksum is complete.
func (p *Peer) sealHalves(tx *sender, pkts []*tun.Packet, space wire.Space, room int, out *outbound) error {
	out.fitted.Reset()
	for _, pkt := range pkts {
		out.plainly(pkt, room, &tx.partID)
	}
	w, err := tx.epoch.Begin(&out.sealed, space, out.fitted.Len(), len(out.fitted.Buf))
	if err != nil {
		return err
	}
	defer w.End()
	for i := range out.fitted.Len() {
		w.Seal(out.fitted.At(i))
	}
	return nil
}

// plainly appends to fitted what pkt is without offload: one packet or its
// segments, checksums complete, those larger than room in halves with ids.
func (o *outbound) plainly(pkt *tun.Packet, room int, ids *atomic.Uint32) {
	if pkt.Segment == 0 || !o.segments.Start(pkt, true) {
		o.fit(single(pkt, true), room, ids)
		return
	}
	for i := range o.segments.Len() {
		o.fit(o.segments.At(i), room, ids)
	}
}

func (o *outbound) fit(packet []byte, room int, ids *atomic.Uint32) {
	if len(packet) <= room {
		o.fitted.Append(packet)
		return
	}
	o.fitted.AppendHalves(uint16(ids.Add(1))&wire.PacketPartIDs, packet)
}
