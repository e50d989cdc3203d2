package datapath

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// takesBatch reports whether a record may hold a batch: it has come by a carrier
// of batches, in its number space (SPEC section 7.12).
func (in *inbound) takesBatch(rec []byte) bool {
	if !in.carrier.Batches {
		return false
	}
	space, ok := wire.SpaceOf(rec)
	return ok && space == in.carrier.Space
}

// openBatch opens a record of utcp. A batch comes to lie so that the headers in
// it are its packets' headroom; another plaintext is put at place.
func (in *inbound) openBatch(e *record.Epoch, rec []byte) ([]byte, record.Verdict) {
	in.endSuper()
	dst := in.apart
	if in.stride == 0 {
		dst = in.slab[in.next-wire.BatchHeaderSize:]
	} else if dst == nil {
		in.apart = make([]byte, wire.MaxBatch)
		dst = in.apart
	}
	plain, v := e.OpenTo(dst[:0:wire.MaxBatch], rec)
	switch {
	case v != record.Opened, isBatch(plain):
		return plain, v
	case len(plain) > packetSize:
		return nil, record.Malformed
	}
	return in.space()[:copy(in.space(), plain)], v
}

func isBatch(plain []byte) bool { return wire.IsFrame(plain, wire.FrameBatch) }

// takeBatch sorts the packets of a batch that openBatch has opened.
func (in *inbound) takeBatch(d *Datapath, plain []byte) {
	at := in.next
	for len(plain) > 0 {
		data, segment, rest, ok := wire.CutBatch(plain)
		if !ok {
			in.live.traffic.Drop(link.DropMalformed, 1)
			break
		}
		if in.n == len(in.pkts) {
			in.write(d)
		}
		if in.stride > 0 {
			at = in.next
			data = in.space()[:copy(in.space(), data)]
		}
		in.acceptOfBatch(d, at, data, segment)
		at += len(data) + wire.BatchHeaderSize
		plain = rest
	}
	if in.stride == 0 { // each packet is a call of its own, and all are in the cache now
		in.write(d)
	}
}

// acceptOfBatch puts a packet of a batch, which lies at at, into the device's
// batch if it may pass.
func (in *inbound) acceptOfBatch(d *Datapath, at int, data []byte, segment uint16) {
	l, partial, ok := in.formOf(d, data, segment)
	if !ok {
		in.live.traffic.Drop(link.DropMalformed, 1)
		return
	}
	if !in.allowed(d, data) {
		return
	}
	payload := len(data) - l.Head
	if segment == 0 || payload <= int(segment) {
		in.enter(at, len(data), partial, 0, count{1, len(data)})
		return
	}
	tun.PutLength(data)
	if int(segment) > d.mtu-l.Head {
		in.writeSplit(d, at, len(data), segment)
		return
	}
	n := (payload + int(segment) - 1) / int(segment)
	in.enter(at, len(data), true, segment, count{n, len(data) + (n-1)*l.Head})
}

// formOf reports whether a packet is of a form that may travel in a batch, and
// clears its mark. It does not trust the mark: the peer sets it (SPEC section 7.12).
func (in *inbound) formOf(d *Datapath, data []byte, segment uint16) (l tun.Layout, partial, ok bool) {
	if !wire.ClearPartial(data) {
		return l, false, segment == 0 && wire.KindOf(data) == wire.KindPacket
	}
	l, ok = tun.Parse(data)
	return l, true, ok && d.offload && (segment == 0 || mayTravelWhole(data, l, segment))
}

// writeSplit writes a super-packet whose segments are larger than the device's
// MTU one by one, as without offload: each one's headers, and the headroom
// before them, lie over the tail of one that has been written.
func (in *inbound) writeSplit(d *Datapath, at, n int, segment uint16) {
	in.write(d)
	whole := tun.Packet{Buf: in.slab[at : at+n], Len: n, Segment: segment, Partial: true}
	if !in.segments.Start(&whole, false) {
		in.live.traffic.Drop(link.DropMalformed, 1)
		return
	}
	for i := range in.segments.Len() {
		size := len(in.segments.At(i))
		in.enter(at+i*int(segment), size, true, 0, count{1, size})
		in.write(d)
	}
}
