package datapath

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/record"
	"github.com/libertaria-project/l2tun/internal/wire"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/tun"
)

const (
	inboundSize  = 64 // packets of one TUN write
	spareInbound = 4  // receives that usually run at once
)

// An inbound is the memory of one receive that is under way.
type inbound struct {
	batch *tun.Batch
	n     int
	bytes int
	peer  *Peer // whose packets the batch holds
}

// Records implements link.Handler: it opens a receive's records, run by run of
// one record id, and writes the packets in them to the device.
func (d *Datapath) Records(path link.Path, recs [][]byte) {
	for len(recs) > 0 {
		id, _, _, ok := wire.ParseHeader(recs[0])
		run := 1
		for ok && run < len(recs) && sameID(recs[0], recs[run]) {
			run++
		}
		if r, known := d.epochs.Get(id); ok && known {
			if !r.held.Keep(path, recs[:run], &r.peer.traffic) {
				d.receive(path, r, recs[:run])
			}
		} else {
			d.stray.Drop(link.DropUnknown, run)
		}
		recs = recs[run:]
	}
}

func sameID(a, b []byte) bool {
	return len(b) >= wire.HeaderSize && string(a[:1+wire.RecordIDSize]) == string(b[:1+wire.RecordIDSize])
}

// receive opens the records of one epoch.
func (d *Datapath) receive(path link.Path, r *receiver, recs [][]byte) {
	in := d.borrow()
	in.peer = r.peer
	heard := false // a record that cannot be a replay
	for _, rec := range recs {
		slot := &in.batch.Packets[in.n]
		plain, verdict := r.epoch.OpenTo(slot.Buf[slot.Off:slot.Off], rec)
		if verdict != record.Opened {
			r.peer.traffic.Drop(dropOfVerdict(verdict), 1)
			continue
		}
		heard = heard || rec[wire.HeaderSize-1] != byte(wire.SpaceControl)
		if !r.heard.Load() && r.heard.CompareAndSwap(false, true) {
			r.peer.sink.Opened(path, r.epoch) // before what came in it
		}
		in.take(d, path, r, slot, plain)
	}
	if heard {
		if r.peer.traffic.Hear(path, time.Now()) {
			r.peer.sink.Moved(path)
		}
	}
	in.write(d)
	in.peer = nil
	d.giveBack(in)
}

func (d *Datapath) borrow() *inbound {
	select {
	case in := <-d.scratch:
		return in
	default:
		return &inbound{batch: tun.NewBatch(inboundSize, packetSize, tun.Headroom)}
	}
}

func (d *Datapath) giveBack(in *inbound) {
	select {
	case d.scratch <- in:
	default:
	}
}

// take sorts one plaintext, which lies in slot, into the batch or to the session.
func (in *inbound) take(d *Datapath, path link.Path, r *receiver, slot *tun.Packet, plain []byte) {
	kind := wire.KindOf(plain)
	if kind == wire.KindFrame && plain[0] == wire.FramePart {
		n := r.peer.halves.Join(slot.Buf[slot.Off:], plain, time.Now(), &r.peer.traffic)
		if n == 0 {
			return
		}
		plain = slot.Buf[slot.Off : slot.Off+n]
		if kind = wire.KindOf(plain); plain[0] == wire.FramePart {
			kind = wire.KindInvalid
		}
	}
	switch kind {
	case wire.KindPacket:
		slot.Len = len(plain)
		in.accept(d, slot)
	case wire.KindFrame:
		r.peer.sink.Frame(path, r.epoch, plain)
	default:
		r.peer.traffic.Drop(link.DropMalformed, 1)
	}
}

// accept puts a packet that may pass into the batch.
func (in *inbound) accept(d *Datapath, slot *tun.Packet) {
	if !in.allowed(d, slot.Data()) {
		return
	}
	in.bytes += slot.Len
	if in.n++; in.n == len(in.batch.Packets) {
		in.write(d)
	}
}

// allowed is the source check: a packet from a peer must have a source that
// leads back to that peer (SPEC section 7.2).
func (in *inbound) allowed(d *Datapath, packet []byte) bool {
	src, ok := routing.Source(packet)
	if !ok {
		in.peer.traffic.Drop(link.DropMalformed, 1)
		return false
	}
	if owner, ok := d.routes.Lookup(src); !ok || owner != in.peer {
		in.peer.traffic.Drop(link.DropBadSource, 1)
		return false
	}
	return true
}

// write hands what has gathered to the device in one call.
func (in *inbound) write(d *Datapath) {
	if in.n == 0 {
		return
	}
	t := &in.peer.traffic
	written, err := d.dev.Write(in.batch.Packets[:in.n])
	if err != nil {
		t.Drop(link.DropDevice, in.n-written)
		for _, p := range in.batch.Packets[written:in.n] {
			in.bytes -= p.Len
		}
	}
	t.RxPackets.Add(uint64(written))
	t.RxBytes.Add(uint64(in.bytes))
	in.n, in.bytes = 0, 0
}

func dropOfVerdict(v record.Verdict) link.Drop {
	switch v {
	case record.Replayed:
		return link.DropReplayed
	case record.Malformed, record.TooBig:
		return link.DropMalformed
	}
	return link.DropForged
}
