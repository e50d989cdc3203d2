package transport

import (
	"log/slog"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/quicnet"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/net/utcp"
)

// Stats is a snapshot of a Transport's counters since Listen, in packets or
// records unless said otherwise.
type Stats struct {
	Received       uint64 // UDP datagrams read from the socket
	UnknownRecords uint64 // records whose id nobody knows
	UnknownConns   uint64 // packets of QUIC for a connection id that is not of our make
	NoPath         uint64 // records with a known id, or packets of QUIC, while that carrier is switched off
	Malformed      uint64 // neither QUIC nor a record, or cut short by the kernel
	ReadErrors     uint64 // receive calls that failed
	QUICOverflow   uint64 // packets dropped because QUIC did not fetch them in time
	SendErrors     uint64 // QUIC packets that the socket refused for the moment
	Retries        uint64 // QUIC handshakes sent to address validation
	TurnedAway     uint64 // first packets of QUIC handshakes beyond what is looked at in a second
	QUICRefused    uint64 // QUIC connections beyond the limits for strangers
	Unproven       uint64 // QUIC packets not sent, because their address had sent too little
	DatagramFull   uint64 // records refused because the queue of their connection was full
	DatagramOld    uint64 // records that waited longer than 100 ms
	DatagramTooBig uint64 // records that no longer fit when their turn came
	DatagramBad    uint64 // received datagrams that are not records
	DirectFull     uint64 // records refused because the socket was full
	DirectTooBig   uint64 // sends that ended at a record larger than the local link
	DirectLost     uint64 // records and forwarded datagrams for which there was no route to the remote
	ICMPErrors     uint64 // ICMP messages about a remote, other than too big and those that openers and knocks cause
	Opening        Opening
	UTCPFull       uint64 // records refused because the queue of their connection was full
	UTCPOld        uint64 // records that waited longer than 100 ms
	UTCPRefused    uint64 // connections of strangers that were refused a place, or lost it to another
	Faults         uint64 // defects of this program met in handling what strangers sent
}

// Opening counts what opens NATs, in datagrams.
type Opening struct {
	Openers uint64 // have left, with a small hop limit
	Knocks  uint64 // have left, with the full one
	Refused uint64 // have not, for the budget or the address
}

type counters struct {
	guard *guard.Guard // nil: recovered defects are not logged

	faults atomic.Uint64 // on connections
	quic   quicnet.Counters
	udp    udp.Counters
	utcp   utcp.Counters
}

func newCounters(log *slog.Logger) *counters { return &counters{guard: guard.New(log)} }

// protect runs what handles something received. If that meets a defect of this
// program it is counted and logged, and the caller ends what has sent it.
func (c *counters) protect(where string, f func()) bool {
	if c.guard.Do(where, f) {
		return true
	}
	c.faults.Add(1)
	return false
}

func (c *counters) snapshot() Stats {
	return Stats{
		Received:       c.udp.Received.Load(),
		UnknownRecords: c.udp.Unknown.Load(),
		UnknownConns:   c.quic.UnknownConn.Load(),
		NoPath:         c.udp.NoPath.Load() + c.quic.NoPath.Load(),
		Malformed:      c.udp.Malformed.Load() + c.quic.Malformed.Load(),
		ReadErrors:     c.udp.ReadErrors.Load(),
		QUICOverflow:   c.quic.Overflow.Load(),
		SendErrors:     c.quic.SendErrors.Load(),
		Retries:        c.quic.Retries.Load(),
		QUICRefused:    c.quic.Refused.Load(),
		Unproven:       c.quic.Limited.Load(),
		TurnedAway:     c.quic.TurnedAway.Load(),
		DatagramFull:   c.quic.Full.Load(),
		DatagramOld:    c.quic.Old.Load(),
		DatagramTooBig: c.quic.TooBig.Load(),
		DatagramBad:    c.quic.Bad.Load(),
		DirectFull:     c.udp.Full.Load(),
		DirectTooBig:   c.udp.TooBig.Load(),
		DirectLost:     c.udp.Lost.Load(),
		ICMPErrors:     c.udp.ICMP.Load(),
		Opening:        Opening{Openers: c.udp.Openers.Load(), Knocks: c.udp.Knocks.Load(), Refused: c.udp.NotOpened.Load()},
		Faults:         c.udp.Faults.Load() + c.faults.Load(),
		UTCPFull:       c.utcp.Full.Load(),
		UTCPOld:        c.utcp.Old.Load(),
		UTCPRefused:    c.utcp.Refused.Load(),
	}
}
