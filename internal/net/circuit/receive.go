package circuit

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Datagrams implements link.DatagramReceiver: it takes the headers off and passes on,
// in order, each run of records and of packets of QUIC in one call.
func (p *Path) Datagrams(from link.Path, datagrams [][]byte) {
	if !p.leg.takes(from) {
		p.drop(WrongSource, len(datagrams))
		return
	}
	p.x.count.received.Add(uint64(len(datagrams)))
	for i, d := range datagrams {
		datagrams[i] = d[wire.CircuitHeaderSize:]
	}
	for len(datagrams) > 0 {
		c := p.classOf(datagrams[0])
		n := 1
		for n < len(datagrams) && p.classOf(datagrams[n]) == c {
			n++
		}
		p.pass(c, datagrams[:n])
		datagrams = datagrams[n:]
	}
}

// A class says who takes what was inside.
type class uint8

const (
	nobody class = iota
	records
	quic
)

// classOf tells records and QUIC apart, as is done on the UDP socket (SPEC 3.1). A
// record of the size of a stateless reset counts as one if its id is in use.
func (p *Path) classOf(b []byte) class {
	switch {
	case wire.IsRecord(b) && (len(b) != udp.ResetSize || p.x.c.Handler.Known(wire.RecordID(b[1:8]))):
		return records
	case udp.IsQUIC(b):
		return quic
	}
	return nobody
}

// pass passes a run on. A circuit datagram in it is dropped by the Handler, because it
// came by a circuit.
func (p *Path) pass(c class, inside [][]byte) {
	switch {
	case c == records:
		p.x.c.Handler.Records(p, inside)
	case c == nobody:
		p.drop(Malformed, len(inside))
	case p.x.c.Network == nil:
		p.drop(NoQUIC, len(inside))
	default:
		p.x.c.Network.ReceiveVirtual(p.virtual, inside)
	}
}
