package circuit

import (
	"errors"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// A Reason is why a datagram was dropped.
type Reason uint8

const (
	NoLeg       Reason = iota // to send: no path to the hub carries circuit datagrams
	NoLabel                   // to send: the label under which the hub receives is not known
	Full                      // a packet of QUIC to send: the leg's queue was full
	TooBig                    // a packet of QUIC to send: it was larger than the leg takes
	Ended                     // a packet of QUIC to send: the circuit has ended
	WrongSource               // came by a path that does not lead to the hub
	Malformed                 // came, and is neither a record nor a packet of QUIC
	NoQUIC                    // a packet of QUIC came, and nobody takes it
	numReasons
)

var reasonNames = [numReasons]string{"no_leg", "no_label", "queue_full", "too_big", "ended", "wrong_source", "malformed", "no_quic"}

func (r Reason) String() string { return reasonNames[r] }

// counters have one writer or more each.
type counters struct {
	sent, received atomic.Uint64 // datagrams
	dropped        [numReasons]atomic.Uint64
}

func (c *counters) drop(r Reason, n int) { c.dropped[r].Add(uint64(n)) }

// reasonOf is the reason for which a leg has not taken a datagram.
func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, link.ErrTooBig):
		return TooBig
	case errors.Is(err, link.ErrClosed):
		return Ended
	}
	return Full
}

// Stats count the datagrams of all circuits since New.
type Stats struct {
	Sent     uint64            // handed to legs
	Received uint64            // by their leg, those dropped after that included
	Dropped  map[string]uint64 // by Reason; what is not zero. Records that a leg refuses are the sender's to count
}

// Stats counts.
func (x *Circuits) Stats() Stats {
	s := Stats{Sent: x.count.sent.Load(), Received: x.count.received.Load(), Dropped: make(map[string]uint64)}
	for r := range numReasons {
		if n := x.count.dropped[r].Load(); n > 0 {
			s.Dropped[r.String()] = n
		}
	}
	return s
}
