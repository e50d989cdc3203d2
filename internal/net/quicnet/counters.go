package quicnet

import "sync/atomic"

// Counters count what an Endpoint drops and refuses, in packets of QUIC unless said
// otherwise.
type Counters struct {
	Malformed   atomic.Uint64 // first packets that are not whole, or packets larger than ours
	Overflow    atomic.Uint64 // dropped because QUIC did not fetch them in time
	UnknownConn atomic.Uint64 // for a connection id that is not of our make
	TurnedAway  atomic.Uint64 // first packets beyond what is looked at in a second
	Retries     atomic.Uint64 // handshakes sent to address validation
	Refused     atomic.Uint64 // connections beyond the limits for strangers
	Limited     atomic.Uint64 // not sent, because of the amplification limit
	SendErrors  atomic.Uint64 // that the socket refused for the moment

	Full   atomic.Uint64 // records refused because the queue of their connection was full
	Old    atomic.Uint64 // records that waited longer than 100 ms
	TooBig atomic.Uint64 // records that no longer fit when their turn came
	Bad    atomic.Uint64 // received datagrams that are not records
	NoPath atomic.Uint64 // received records while the datagram carrier is switched off
}
