package wire

import "fmt"

// A Carrier is the way a path takes records (design words: direct, datagram,
// utcp). Its value is also its number space.
type Carrier uint8

const (
	CarrierDirect   Carrier = Carrier(SpaceDirect)
	CarrierDatagram Carrier = Carrier(SpaceDatagram)
	CarrierUTCP     Carrier = Carrier(SpaceUTCP)
)

// Space is the number space of packets that travel on the carrier.
func (c Carrier) Space() Space { return Space(c) }

// String is the name used in config, status and metrics.
func (c Carrier) String() string {
	switch c {
	case CarrierDirect:
		return "direct"
	case CarrierDatagram:
		return "datagram"
	case CarrierUTCP:
		return "utcp"
	}
	return "unknown"
}

// ParseCarrier reads a carrier's name.
func ParseCarrier(name string) (Carrier, error) {
	for _, c := range []Carrier{CarrierDirect, CarrierDatagram, CarrierUTCP} {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is no carrier; there are direct, datagram and utcp", name)
}

// A Link is what people are shown, and what can be dialled.
type Link string

const (
	LinkQUIC Link = "quic" // direct and datagram: one UDP socket
	LinkUTCP Link = "utcp" // one TCP connection
)

// Link is the link of the carrier.
func (c Carrier) Link() Link {
	if c == CarrierUTCP {
		return LinkUTCP
	}
	return LinkQUIC
}
