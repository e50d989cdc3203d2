package datapath

import (
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/tun"
)

// batchSize is the most packets that one TUN read or write carries.
const batchSize = 128

// packetSize is room for the largest packet or super-packet, bytes.
const packetSize = 1 << 16

// An outbound is the memory of one sending goroutine.
type outbound struct {
	sealed wire.Batch
	fitted wire.Batch // packets and part frames, when a packet needs two records
	plains [][]byte   // its elements
	groups []group
}

// A group is what a batch holds for one peer.
type group struct {
	peer   *Peer
	plains [][]byte
}

// Outbound reads packets and sends them until the device is closed. It returns
// the read error.
func (d *Datapath) Outbound() error {
	batch := tun.NewBatch(batchSize, packetSize, tun.Headroom)
	var out outbound
	for {
		n, err := d.dev.Read(batch)
		if err != nil {
			return err
		}
		d.send(batch.Packets[:n], &out)
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
			d.stray.Drop(link.DropNoRoute, 1)
			continue
		}
		if last < 0 || groups[last].peer != peer {
			groups, last = find(groups, peer)
		}
		groups[last].plains = append(groups[last].plains, data)
	}
	for i := range groups {
		groups[i].peer.send(groups[i].plains, out)
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
		groups[n].plains = groups[n].plains[:0]
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
	return d.routes.Lookup(dst)
}

// send sends packets, or lets them wait when there is no path.
func (p *Peer) send(plains [][]byte, out *outbound) {
	if tx := p.tx.Load(); tx != nil {
		p.transmit(tx, plains, out)
		return
	}
	if tx := p.wait(plains); tx != nil {
		p.transmit(tx, plains, out)
	}
}

// wait queues packets, unless a path has come up meanwhile: then it returns it.
func (p *Peer) wait(plains [][]byte) *sender {
	p.mu.Lock()
	defer p.mu.Unlock()
	if tx := p.tx.Load(); tx != nil || p.closed {
		return tx
	}
	now := time.Now()
	for _, packet := range plains {
		p.queue.push(packet, now, &p.traffic)
	}
	p.sink.Waiting()
	return nil
}

// transmit seals packets under tx and sends them on its path.
func (p *Peer) transmit(tx *sender, plains [][]byte, out *outbound) {
	bytes := 0
	for _, packet := range plains {
		bytes += len(packet)
	}
	out.sealed.Reset()
	records := p.fit(plains, tx.path.Room()-wire.Overhead, out)
	if err := tx.epoch.Seal(&out.sealed, tx.path.Carrier().Space(), records); err != nil {
		p.traffic.Drop(link.DropLimit, len(plains))
		return
	}
	n, err := tx.path.Send(&out.sealed)
	if n < len(records) {
		plains = p.refused(plains, len(records), n, err)
		bytes = 0
		for _, packet := range plains {
			bytes += len(packet)
		}
	}
	p.traffic.TxPackets.Add(uint64(len(plains)))
	p.traffic.TxBytes.Add(uint64(bytes))
	p.traffic.LastSent.Store(link.Stamp(time.Now()))
	if p.traffic.Watch.Load() && p.traffic.Watch.CompareAndSwap(true, false) {
		p.sink.Sent()
	}
}

// refused counts the packets of which the path did not take every record, and
// returns the others. Where some went in two records, both halves count.
func (p *Peer) refused(plains [][]byte, records, taken int, err error) [][]byte {
	sent := max(0, len(plains)-(records-taken))
	p.traffic.Drop(dropOf(err), len(plains)-sent)
	return plains[:sent]
}

func dropOf(err error) link.Drop {
	if errors.Is(err, link.ErrTooBig) {
		return link.DropTooBig
	}
	return link.DropCarrier
}
