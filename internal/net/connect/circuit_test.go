package connect

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A named network notes whom dials are for.
type named struct {
	*memnet.Node
	peers *[][32]byte
}

func (n named) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	*n.peers = append(*n.peers, link.DialedFor(ctx))
	return n.Node.Dial(ctx, l, remote)
}

// A circuit is dialled as any remote, and dials name the peer, whose tickets they use.
func TestHandshakeThroughACircuit(t *testing.T) {
	inArena(t, func(t *testing.T, a *arena) {
		there, back := netip.MustParseAddrPort("[100::a]:1"), netip.MustParseAddrPort("[100::b]:1")
		pipe := func(from, to *memnet.Node, source netip.AddrPort) {
			from.HandleVirtual(func(_ netip.AddrPort, packets *wire.Batch) {
				for _, p := range packets.Slices() {
					p := slices.Clone(p)
					time.AfterFunc(40*time.Millisecond, func() { to.ReceiveVirtual(source, [][]byte{p}) })
				}
			})
		}
		pipe(a.caller, a.answerer, back)
		pipe(a.answerer, a.caller, there)
		x, proofs := a.attempt()
		var peers [][32]byte
		x.Network, x.Known = named{a.caller, &peers}, []netip.AddrPort{there}
		begun := time.Now()
		if err := run(t, x); err != nil || *proofs != 1 {
			t.Fatalf("%v, %d proofs", err, *proofs)
		}
		if err := <-a.callee.proven; err != nil {
			t.Errorf("the responder has %v", err)
		}
		if d := time.Since(begun); d > time.Second {
			t.Errorf("it took %v", d)
		}
		if len(peers) != 1 || peers[0] != a.callee.did.Digest() {
			t.Errorf("dials for %x", peers)
		}
	})
}
