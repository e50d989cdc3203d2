package session

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Network is what sessions send and receive by: a *transport.Transport, or what
// wraps one.
type Network = link.Network

// A Carrier is how packets travel. Its text is "direct", "datagram" or "utcp".
type Carrier = wire.Carrier

// The carriers, the best first.
const (
	Direct   = wire.CarrierDirect   // records in UDP datagrams
	Datagram = wire.CarrierDatagram // inside QUIC datagrams
	UTCP     = wire.CarrierUTCP     // TCP, for networks without UDP
)

// ParseCarrier reads a carrier's text.
func ParseCarrier(text string) (Carrier, error) { return wire.ParseCarrier(text) }
