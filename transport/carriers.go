package transport

import "github.com/libertaria-project/l2tun/internal/proto/wire"

// Carriers is a set of carriers. The zero value stands for all of them.
type Carriers uint8

// CarriersOf is the set of the named carriers; of none it is all.
func CarriersOf(named ...wire.Carrier) (c Carriers) {
	for _, w := range named {
		c |= 1 << w
	}
	return c
}

// Has reports whether the carrier may be used.
func (c Carriers) Has(w wire.Carrier) bool { return c == 0 || c&(1<<w) != 0 }

// links reports whether a link has a carrier that may be used. Direct counts for
// QUIC, from which it has its addresses.
func (c Carriers) links(l wire.Link) bool {
	switch l {
	case wire.LinkQUIC:
		return c.Has(wire.CarrierDirect) || c.Has(wire.CarrierDatagram)
	case wire.LinkUTCP:
		return c.Has(wire.CarrierUTCP)
	}
	return false
}
