package transport

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Carriers is a set of carriers. The zero value stands for all of them.
type Carriers struct{ set link.Set }

// CarriersOf is the set of the named carriers; of none it is all.
func CarriersOf(named ...*link.Kind) Carriers { return Carriers{named} }

// Has reports whether the carrier may be used.
func (c Carriers) Has(k *link.Kind) bool { return c.set.Has(k) }

// links reports whether a link has a carrier that may be used. Direct counts for
// QUIC, from which it has its addresses.
func (c Carriers) links(l wire.Link) bool { return c.set.Uses(l) }
