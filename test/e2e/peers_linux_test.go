package e2e

import (
	"net/netip"
	"os"
	"testing"

	"github.com/libertaria-project/l2tun/test/lab"
)

func TestThreeNodesReachEachOther(t *testing.T) {
	t.Parallel()
	w, a, b, c := trio(t)
	for _, from := range []*node{a, b, c} {
		for _, to := range []*node{a, b, c} {
			if from != to {
				w.pings(from.Host, to.v4, 10)
				w.pings(from.Host, to.Address, 10)
			}
		}
	}
}

// routes lets the node's peers reach networks behind it.
func (n *node) routes(prefixes ...netip.Prefix) {
	n.w.Helper()
	text := n.w.read(n.Config)
	for _, p := range prefixes {
		text += "\n[[route]]\nprefix = \"" + p.String() + "\"\n"
	}
	n.w.ok(os.WriteFile(n.Config, []byte(text), 0o600))
}

// A host behind B belongs to B's prefix and to its routes: A reaches it, and it answers to A's
// overlay address.
func TestHostBehindAPeerIsReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, Stub: true})
	a, b := w.node(w.A), w.node(w.B)
	stub := w.CableToStub.A
	a.knows(b, b.endpoint4(), stub.IP4.Masked().String(), stub.IP6.Masked().String())
	b.knows(a, "")
	b.routes(stub.IP4.Masked(), stub.IP6.Masked())
	b.up()
	a.up()
	w.established(a, b)
	w.pings(w.A, stub.IP4.Addr(), 20)
	w.pings(w.A, stub.IP6.Addr(), 20)
	w.transfer(w.A, w.Stub, stub.IP4.Addr(), 5_000_000)
	w.transfer(w.Stub, w.A, a.Address, 5_000_000)
}

// Peers come and go on running nodes; the session with the other peer does not
// notice.
func TestPeersAreAddedAndRemovedWhileRunning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	c.knows(a, "")
	for _, n := range []*node{c, b, a} {
		n.up()
	}
	w.established(a, b)
	check := a.undisturbed(b)
	w.silent(w.A, c.v4)

	a.knows(c, c.endpoint4()) // the program says when the node uses it
	w.established(a, c)
	w.pings(w.A, c.v4, 10)
	w.pings(w.C, a.Address, 10)
	check()

	w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, c.DID)
	if n := len(a.status().Peers); n != 1 {
		t.Errorf("A has %d peers after one was removed", n)
	}
	w.silent(w.A, c.v4)
	w.silent(w.C, a.v4)
	w.pings(w.A, b.v4, 10)
	check()

	a.knows(c, c.endpoint4())
	w.established(a, c)
	w.pings(w.A, c.v4, 10)
	check()
}
