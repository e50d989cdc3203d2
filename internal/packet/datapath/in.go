package datapath

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// Records implements link.Handler: it opens a receive's records, those of one
// record id at a time, and writes the packets in them to the device. Datagrams of
// circuits among them go to whoever has their label.
func (d *Datapath) Records(path link.Path, recs [][]byte) {
	for len(recs) > 0 {
		id, n := wire.RunOf(recs)
		x, _ := d.ids.Get(id)
		switch r := x.epoch; {
		case x.label != nil:
			d.datagrams(path, x.label, recs[:n])
		case r == nil:
			d.stray.Drop(link.DropUnknown, n)
		case !r.held.Keep(path, recs[:n], &r.live.traffic):
			d.receive(path, r, recs[:n])
		}
		recs = recs[n:]
	}
}

// receive opens the records of one epoch. If they meet a defect, what has not
// reached the device is dropped with its memory, and the session is notified.
func (d *Datapath) receive(path link.Path, r *receiver, recs [][]byte) {
	defer d.received(r)
	in := d.spare.borrow()
	d.open(in, path, r, recs)
	in.peer, in.live, in.judged = nil, nil, nil
	d.spare.giveBack(in)
}

// received recovers what receive has met.
func (d *Datapath) received(r *receiver) {
	if v := recover(); v != nil {
		d.guard.Load().Note("packets in", v)
		r.peer.sink.Failed()
	}
}

// open opens the records of one epoch.
func (d *Datapath) open(in *inbound, path link.Path, r *receiver, recs [][]byte) {
	in.peer, in.live, in.carrier = r.peer, r.live, path.Kind()
	if in.judged = r.peer.judged.Load(); in.judged != nil {
		in.second = second(time.Now())
	}
	largest := 0 // record that cannot be a replay
	widest := r.live.traffic.Heard(in.carrier)
	for _, rec := range recs {
		if in.full() {
			in.write(d)
		}
		if !in.carrier.Takes(rec) {
			r.live.traffic.Drop(link.DropMalformed, 1)
			continue
		}
		plain, verdict := in.open(r.epoch, rec)
		if verdict != record.Opened {
			r.live.traffic.Drop(dropOfVerdict(verdict), 1)
			continue
		}
		if len(rec) > largest && !isControl(rec) {
			largest = len(rec)
			widest.Note(largest) // before a probe behind it is answered
		}
		if !r.heard.Load() && r.heard.CompareAndSwap(false, true) {
			r.peer.sink.Opened(path, r.epoch) // before what came in it
		}
		switch {
		case plain == nil: // it has joined the super-packet
		case isBatch(plain) && in.takesBatch(rec):
			in.takeBatch(d, plain)
		default:
			in.take(d, path, r, plain)
		}
	}
	if largest > 0 {
		if r.live.traffic.Hear(path, time.Now()) {
			r.peer.sink.Moved(path)
		}
	}
	in.write(d)
}

// isControl reports whether a record that has been opened is of the number space
// that has no window.
func isControl(rec []byte) bool {
	space, ok := wire.SpaceOf(rec)
	return !ok || space == wire.SpaceControl
}

// take puts one plaintext, which lies where the next packet goes, into the batch or
// passes it to the session.
func (in *inbound) take(d *Datapath, path link.Path, r *receiver, plain []byte) {
	if wire.IsFrame(plain, wire.FramePart) {
		dst := in.space()
		n := r.live.halves.Join(dst, plain, path, time.Now(), &r.live.traffic)
		if n == 0 {
			return
		}
		plain = dst[:n]
	}
	switch kind := wire.KindOf(plain); {
	case kind == wire.KindPacket:
		in.accept(d, plain, false)
	case d.offload && wire.ClearPartial(plain):
		in.accept(d, plain, true)
	case kind == wire.KindFrame && !isBatch(plain) && !wire.IsFrame(plain, wire.FramePart):
		r.peer.sink.Frame(path, r.epoch, plain)
	default:
		r.live.traffic.Drop(link.DropMalformed, 1)
	}
}

// accept puts a packet that may pass into the batch.
func (in *inbound) accept(d *Datapath, data []byte, partial bool) {
	l, simple := tun.Layout{}, false
	if partial {
		if l, simple = tun.Parse(data); !simple {
			in.live.traffic.Drop(link.DropMalformed, 1)
			return
		}
	}
	if in.allowed(d, data) {
		in.add(data, l, partial)
	}
}

// allowed is the check of both addresses (SPEC section 7.2): a packet from a peer
// must have a source that leads back to that peer, and a destination that is this
// node's, lies behind a [[route]] of it, or is another peer's, to which the kernel sends it.
// Behind it stand the rules of a peer that has some.
func (in *inbound) allowed(d *Datapath, packet []byte) bool {
	p, ok := ip.Read(packet)
	if !ok {
		in.live.traffic.Drop(link.DropMalformed, 1)
		return false
	}
	src, dst := p.Source(), p.Destination()
	if owner, ok := d.owners.routes.Lookup(src); !ok || owner != in.peer || src.Is4In6() {
		return in.refuse(d, link.DropBadSource, src)
	}
	if !d.owners.May(in.peer, dst) {
		return in.refuse(d, link.DropBadDestination, dst)
	}
	return in.judged == nil || in.passes(d, p)
}

func (in *inbound) refuse(d *Datapath, reason link.Drop, a netip.Addr) bool {
	in.live.traffic.Drop(reason, 1)
	d.notes.note(Note{Reason: reason, Peer: in.peer, Addr: a}, time.Now())
	return false
}

// write writes the gathered packets to the device in one call.
func (in *inbound) write(d *Datapath) {
	if in.n == 0 {
		return
	}
	in.endSuper()
	if t := d.taps.all.Load(); t != nil {
		tapIn(*t, in.peer, in.pkts[:in.n])
	}
	t := &in.live.traffic
	written, err := d.dev.Write(in.pkts[:in.n])
	if err != nil {
		t.Drop(link.DropDevice, in.n-written)
	}
	var sum count
	for _, c := range in.counts[:written] {
		sum.packets, sum.bytes = sum.packets+c.packets, sum.bytes+c.bytes
	}
	t.Received(in.carrier, sum.packets, sum.bytes)
	if t.WatchIn.Load() && t.WatchIn.CompareAndSwap(true, false) {
		in.peer.sink.Came()
	}
	in.n, in.next = 0, tun.Headroom
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
