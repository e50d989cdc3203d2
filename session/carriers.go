package session

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
)

// A Network is what sessions send and receive by: a *transport.Transport, or what
// wraps one.
type Network = link.Network

// A Carrier is how packets travel. Its String is "direct", "datagram", "utcp" or
// "circuit". Carriers are compared with ==.
type Carrier = *link.Kind

// The carriers, the best first. They are never changed.
var (
	Direct   = link.KindDirect   // records in UDP datagrams
	Datagram = link.KindDatagram // inside QUIC datagrams
	UTCP     = link.KindUTCP     // TCP, for networks without UDP
	Circuit  = link.KindCircuit  // forwarded by a hub; always allowed, and in no Config.Carriers
)

// ParseCarrier reads the text of a carrier that Config.Carriers may have.
func ParseCarrier(text string) (Carrier, error) { return link.Choose(text) }

// allowed reports whether packets may travel on a carrier.
func allowed(may link.Set, c Carrier) bool { return c.Packets && may.Has(c) }
