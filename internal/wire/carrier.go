package wire

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

// Link is what people are shown: "quic" for both carriers of the UDP socket.
func (c Carrier) Link() string {
	if c == CarrierUTCP {
		return "utcp"
	}
	return "quic"
}
