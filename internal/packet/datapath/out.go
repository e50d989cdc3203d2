package datapath

import (
	"errors"
	"math"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/tun"
)

// batchSize is the most packets that one TUN read or write carries.
const batchSize = 128

// packetSize is room for the largest packet or super-packet, bytes.
const packetSize = 1 << 16

// batchBytes is the memory of one TUN read with offload: two super-packets at
// least, or a batch of small packets.
const batchBytes = 256 << 10

// chunkBytes is how much is sealed before it is sent: one super-packet, which is
// what one system call takes, while it is still in the processor's cache.
const chunkBytes = 64 << 10

// An outbound is the memory of one sending goroutine.
type outbound struct {
	sealed   wire.Batch
	fitted   wire.Batch // packets and part frames, when a packet needs two records
	segments tun.Segments
	packer   packer
	groups   []group
	answer   answer
}

// A group is what a batch holds for one peer.
type group struct {
	peer *Peer
	pkts []*tun.Packet
}

// Outbound reads packets and sends them until the device is closed. It returns
// the read error.
func (d *Datapath) Outbound() error {
	size := packetSize
	if d.offload {
		size = batchBytes / batchSize
	}
	batch := tun.NewBatch(batchSize, size, tun.Headroom)
	var out outbound
	for {
		n, err := d.dev.Read(batch)
		if err != nil {
			return err
		}
		d.sends(batch.Packets[:n], &out)
	}
}

// sends is send with recovery: packets that meet a defect are dropped, and the
// memory with them, whatever programs of this host have put into them.
func (d *Datapath) sends(pkts []tun.Packet, out *outbound) {
	defer d.sent(len(pkts), out)
	d.send(pkts, out)
}

// sent recovers what send has met.
func (d *Datapath) sent(n int, out *outbound) {
	if v := recover(); v != nil {
		d.guard.Load().Note("packets out", v)
		d.stray.Drop(link.DropFault, n)
		*out = outbound{}
	}
}

// send buckets a batch by peer in first-seen order and sends each bucket.
func (d *Datapath) send(pkts []tun.Packet, out *outbound) {
	groups := out.groups[:0]
	last := -1
	for i := range pkts {
		data := pkts[i].Data()
		peer, ok := d.route(data)
		if !ok {
			d.noRoute(data, out)
			continue
		}
		if last < 0 || groups[last].peer != peer {
			groups, last = find(groups, peer)
		}
		groups[last].pkts = append(groups[last].pkts, &pkts[i])
	}
	if t := d.taps.all.Load(); t != nil {
		tapOut(*t, groups)
	}
	for i := range groups {
		groups[i].peer.send(groups[i].pkts, out)
		groups[i].peer = nil
	}
	out.groups = groups
}

// find returns the index of peer's group, a new one at the end if it has none.
// Groups keep the memory of earlier batches.
func find(groups []group, peer *Peer) ([]group, int) {
	for i := range groups {
		if groups[i].peer == peer {
			return groups, i
		}
	}
	n := len(groups)
	if n < cap(groups) {
		groups = groups[:n+1]
		groups[n].pkts = groups[n].pkts[:0]
	} else {
		groups = append(groups, group{})
	}
	groups[n].peer = peer
	return groups, n
}

func (d *Datapath) route(packet []byte) (*Peer, bool) {
	dst, ok := routing.Destination(packet)
	if !ok {
		return nil, false
	}
	return d.owners.peer(dst)
}

// noRoute drops a packet from the device whose destination no peer owns.
func (d *Datapath) noRoute(packet []byte, out *outbound) {
	d.stray.Drop(link.DropNoRoute, 1)
	p, ok := ip.Read(packet)
	if !ok {
		return
	}
	now := time.Now()
	d.notes.note(Note{Reason: link.DropNoRoute, Addr: p.Destination()}, now)
	d.answers.unreachable(packet, now, &out.answer)
}

// send sends packets, or queues them when there is no path.
func (p *Peer) send(pkts []*tun.Packet, out *outbound) {
	if j := p.judged.Load(); j != nil {
		j.sent(pkts)
	}
	tx := p.tx.Load()
	if tx == nil {
		tx = p.wait(pkts, out)
	}
	if tx != nil {
		p.transmit(tx, pkts, out)
	}
}

// wait queues packets, unless a path has come up meanwhile: then it returns it.
func (p *Peer) wait(pkts []*tun.Packet, out *outbound) *sender {
	p.counts.Lock()
	defer p.counts.Unlock()
	if tx := p.tx.Load(); tx != nil || p.closed {
		return tx
	}
	a, now := p.wake(), time.Now()
	out.fitted.Reset()
	for _, pkt := range pkts {
		out.plainly(pkt, math.MaxInt, nil)
	}
	for i := range out.fitted.Len() {
		a.queue.push(out.fitted.At(i), now, &a.traffic)
	}
	if a.ahead.tx != nil {
		p.flushAhead(a)
	} else {
		p.sink.Waiting()
	}
	return nil
}

// transmit seals packets under tx and sends them on its path.
func (p *Peer) transmit(tx *sender, pkts []*tun.Packet, out *outbound) {
	if tx.batches() {
		p.transmitBatches(tx, pkts, out)
	} else {
		p.transmitChunks(tx, pkts, out)
	}
	tx.traffic.LastSent.Store(link.Stamp(time.Now()))
	if tx.traffic.Watch.Load() && tx.traffic.Watch.CompareAndSwap(true, false) {
		p.sink.Sent()
	}
}

// transmitChunks sends a record for each packet or segment, chunk by chunk.
func (p *Peer) transmitChunks(tx *sender, pkts []*tun.Packet, out *outbound) {
	room := tx.path.Room() - wire.Overhead
	for len(pkts) > 0 {
		c := out.measure(pkts)
		p.sendChunk(tx, pkts[:c.packets], c, room, out)
		pkts = pkts[c.packets:]
	}
}

func (p *Peer) sendChunk(tx *sender, pkts []*tun.Packet, c chunk, room int, out *outbound) {
	out.sealed.Reset()
	if err := p.seal(tx, pkts, c, room, out); err != nil {
		tx.traffic.Drop(link.DropLimit, c.records)
		return
	}
	tx.traffic.WideSent.Note(largest(&out.sealed))
	n, err := tx.path.Send(&out.sealed)
	if refused := out.sealed.Len() - n; refused > 0 {
		// Where some packets went in two records, both halves count.
		sent := max(0, c.records-refused)
		tx.traffic.Drop(dropOf(err), c.records-sent)
		out.sealed.Truncate(n)
		c.records, c.bytes = sent, min(c.bytes, len(out.sealed.Buf)-n*wire.Overhead)
	}
	tx.traffic.Sent(tx.path.Kind(), c.records, c.bytes)
}

// largest is the largest record of a batch, bytes.
func largest(b *wire.Batch) (most int) {
	from := 0
	for _, end := range b.Ends {
		most, from = max(most, end-from), end
	}
	return most
}

func dropOf(err error) link.Drop {
	if errors.Is(err, link.ErrTooBig) {
		return link.DropTooBig
	}
	return link.DropCarrier
}
