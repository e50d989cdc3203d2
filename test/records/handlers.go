package records

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Tally is a link.Handler that counts, allocates nothing and knows every id.
type Tally struct{ Count, Bytes, Calls atomic.Int64 }

// Records implements link.Handler.
func (c *Tally) Records(_ link.Path, recs [][]byte) {
	n := 0
	for _, r := range recs {
		n += len(r)
	}
	c.Count.Add(int64(len(recs)))
	c.Bytes.Add(int64(n))
	c.Calls.Add(1)
}

// Known implements link.Handler.
func (*Tally) Known(wire.RecordID) bool { return true }

// Unreachable implements link.Handler.
func (*Tally) Unreachable(netip.AddrPort) {}

// A Gate holds the first delivery to an Inbox until Open is closed.
type Gate struct {
	Entered, Open chan struct{}
	In            *Inbox
	once          sync.Once
}

// NewGate is a Gate before in.
func NewGate(in *Inbox) *Gate {
	return &Gate{Entered: make(chan struct{}), Open: make(chan struct{}), In: in}
}

// Records implements link.Handler.
func (g *Gate) Records(p link.Path, recs [][]byte) {
	g.once.Do(func() { close(g.Entered); <-g.Open })
	g.In.Records(p, recs)
}

// Known implements link.Handler.
func (g *Gate) Known(id wire.RecordID) bool { return g.In.Known(id) }

// Unreachable implements link.Handler.
func (g *Gate) Unreachable(netip.AddrPort) {}
