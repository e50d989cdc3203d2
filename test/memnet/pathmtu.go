package memnet

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// QUIC's packets are of one of two sizes, fixed for the connection.
const (
	fullPacket = 1452
	// packetCost is what a record takes of a packet beside its own bytes.
	packetCost = fullPacket - room
	smallRoom  = 1200 - packetCost
	// smallDialAfter is how much later a dial with small packets is under way.
	smallDialAfter = 1500 * time.Millisecond
	// streamPacket is the least write that fills whole packets.
	streamPacket = 1200
)

// ReducePathMTU implements link.PathMTUReducer.
func (n *Node) ReducePathMTU(remote netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reduced[remote] = true
}

func (n *Node) isReduced(remote netip.AddrPort) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reduced[remote]
}

// tooWide reports whether a line loses a packet of a connection with so many
// bytes of record or stream in it.
func (c *Conn) tooWide(l Line, bytes int) bool {
	if c.link != wire.LinkQUIC || l.MaxPacket == 0 {
		return false
	}
	packet := min(bytes+packetCost, fullPacket)
	if c.small {
		packet = min(packet, smallRoom+packetCost)
	}
	return packet > l.MaxPacket
}
