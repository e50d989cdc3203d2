package transport

import (
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/base/guard"
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
	DirectLost     uint64 // records for which there was no way to the remote
	ICMPErrors     uint64 // ICMP messages about a remote, other than too big
	UTCPFull       uint64 // records refused because the queue of their connection was full
	UTCPOld        uint64 // records that waited longer than 100 ms
	UTCPRefused    uint64 // connections of strangers that were refused a place, or lost it to another
	Faults         uint64 // defects of this program met in handling what strangers sent
}

type counters struct {
	guard *guard.Guard // nil: recovered defects are not logged

	noPath, malformed                           atomic.Uint64
	quicOverflow, sendErrors, retries, unproven atomic.Uint64
	turnedAway, quicRefused, unknownConn        atomic.Uint64
	dgFull, dgOld, dgTooBig, dgBad              atomic.Uint64
	faults                                      atomic.Uint64
	udp                                         udp.Counters
	utcp                                        utcp.Counters
}

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
		UnknownConns:   c.unknownConn.Load(),
		NoPath:         c.udp.NoPath.Load() + c.noPath.Load(),
		Malformed:      c.udp.Malformed.Load() + c.malformed.Load(),
		ReadErrors:     c.udp.ReadErrors.Load(),
		QUICOverflow:   c.quicOverflow.Load(),
		SendErrors:     c.sendErrors.Load(),
		Retries:        c.retries.Load(),
		QUICRefused:    c.quicRefused.Load(),
		Unproven:       c.unproven.Load(),
		TurnedAway:     c.turnedAway.Load(),
		DatagramFull:   c.dgFull.Load(),
		DatagramOld:    c.dgOld.Load(),
		DatagramTooBig: c.dgTooBig.Load(),
		DatagramBad:    c.dgBad.Load(),
		DirectFull:     c.udp.Full.Load(),
		DirectTooBig:   c.udp.TooBig.Load(),
		DirectLost:     c.udp.Lost.Load(),
		ICMPErrors:     c.udp.ICMP.Load(),
		Faults:         c.udp.Faults.Load() + c.faults.Load(),
		UTCPFull:       c.utcp.Full.Load(),
		UTCPOld:        c.utcp.Old.Load(),
		UTCPRefused:    c.utcp.Refused.Load(),
	}
}
