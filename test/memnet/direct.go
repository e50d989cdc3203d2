package memnet

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Direct is a node's direct path to an address.
type Direct struct {
	node   *Node
	remote netip.AddrPort
	room   atomic.Int64
	budget atomic.Int64 // of the anti-amplification limit, bytes
}

var _ link.Direct = (*Direct)(nil)

// Direct implements link.Network; nil when the node has the carrier off, and for a
// virtual address.
func (n *Node) Direct(remote netip.AddrPort) link.Direct {
	if n.Off[link.KindDirect] || isVirtual(remote) {
		return nil
	}
	return n.direct(remote)
}

func (n *Node) direct(remote netip.AddrPort) *Direct {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.directs[remote]
	if d == nil {
		d = &Direct{node: n, remote: remote}
		n.directs[remote] = d
	}
	return d
}

func (d *Direct) Kind() *link.Kind       { return link.KindDirect }
func (d *Direct) Local() netip.AddrPort  { return d.node.Addr() }
func (d *Direct) Remote() netip.AddrPort { return d.remote }
func (d *Direct) Room() int              { return int(d.room.Load()) }
func (d *Direct) SetRoom(bytes int)      { d.room.Store(int64(bytes)) }
func (d *Direct) RTT() time.Duration     { return 0 }

// TakeBudget implements link.AmplificationLimiter.
func (d *Direct) TakeBudget(bytes int) bool {
	if d.budget.Load() < int64(bytes) {
		return false
	}
	d.budget.Add(-int64(bytes))
	return true
}

// receive hands a record over that came from the path's remote.
func (d *Direct) receive(h link.Handler, rec []byte) {
	d.budget.Add(int64(len(rec)))
	h.Records(d, [][]byte{rec})
}

// Send implements link.Path. Any size leaves; the line decides what arrives.
func (d *Direct) Send(recs *wire.Batch) (int, error) {
	from := d.node.source(d.remote)
	l, _ := d.node.net.line(from, d.remote)
	for _, rec := range recs.Slices() {
		if l.CutUDP || l.lost(rec) {
			continue
		}
		kept := append([]byte(nil), rec...)
		for _, after := range d.node.net.fate(l) {
			time.AfterFunc(after, func() { d.arrive(from, kept) })
		}
	}
	return recs.Len(), nil
}

// Forward implements link.Forwarder.
func (d *Direct) Forward(datagrams *wire.Batch) (int, error) { return d.Send(datagrams) }

func (d *Direct) arrive(from netip.AddrPort, rec []byte) {
	peer := d.node.net.target(from, d.remote)
	if peer == nil || peer.Off[link.KindDirect] {
		return
	}
	peer.ears.hear(from, true)
	if h := peer.receiver(); h != nil {
		peer.direct(from).receive(h, rec)
	}
}

// lost reports whether a record is lost for what it is.
func (l Line) lost(rec []byte) bool {
	return l.MaxRecord > 0 && len(rec) > l.MaxRecord || l.MaxPacket > 0 && len(rec) > l.MaxPacket || l.Drop != nil && l.Drop(rec)
}

// Move gives the node another address, as roaming or a NAT does: what it sends
// comes from there, and what is sent to the old address is lost. Connections go
// on as QUIC's do, at the new address, for the node's own part.
func (n *Node) Move(to netip.AddrPort) {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	delete(n.net.nodes, n.at)
	n.at = to
	n.net.nodes[to] = n
}
