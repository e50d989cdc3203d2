package transport

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The types that the methods of Transport name, for programs that hold one of
// them or wrap a Transport. They are described where they are declared.
type (
	Carrier   = *link.Kind     // how packets travel: session.Direct, Datagram or UTCP
	Link      = wire.Link      // what a connection is: QUIC or TCP
	Conn      = link.Conn      // one connection
	EarlyConn = link.EarlyConn // a connection that may send before its handshake is complete
	Direct    = link.Direct    // the path of records in UDP datagrams to one remote
	Handler   = link.Handler   // takes records; session.Manager installs its own
	PortEvent = link.PortEvent // what has come of ports that were opened towards a remote
	Batch     = wire.Batch     // packets that leave together
)
