package session

import (
	"context"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A stubConn only has a link and an end.
type stubConn struct {
	link.Conn
	kind   wire.Link
	closed string
	done   chan struct{}
}

func (c *stubConn) Link() wire.Link           { return c.kind }
func (c *stubConn) Remote() netip.AddrPort    { return netip.AddrPort{} }
func (c *stubConn) Done() <-chan struct{}     { return c.done }
func (c *stubConn) Close(reason string) error { c.closed = reason; return nil }

// SPEC 6.5: the old one and the new one; the oldest goes, but for that of the path
// in use.
func TestASessionHasTwoConnectionsOfALink(t *testing.T) {
	s := &Session{conns: make(map[link.Conn]*attached)}
	var all []*stubConn
	add := func(kind wire.Link) *stubConn {
		c := &stubConn{kind: kind}
		s.conns[c] = &attached{conn: c, number: s.nextConn()}
		s.boundConns(c)
		all = append(all, c)
		return c
	}
	first, quic := add(wire.LinkUTCP), add(wire.LinkQUIC)
	s.using = &path{conn: first}
	second, third := add(wire.LinkUTCP), add(wire.LinkUTCP)
	if first.closed != "" || second.closed == "" || third.closed != "" || quic.closed != "" || len(s.conns) != 3 {
		t.Errorf("in use %q, the older %q, the newest %q, another link %q; %d left", first.closed, second.closed, third.closed, quic.closed, len(s.conns))
	}
	s.using = nil
	add(wire.LinkUTCP)
	if first.closed == "" || len(s.conns) != 3 {
		t.Errorf("nothing is in use, and the oldest stays; %d left", len(s.conns))
	}
	for range 200 {
		add(wire.LinkUTCP)
	}
	if len(s.conns) != maxPerLink+1 || all[len(all)-1].closed != "" {
		t.Errorf("%d left", len(s.conns))
	}
}

// A redialler counts dials.
type redialler struct {
	link.Network
	dials int
}

func (n *redialler) Dial(context.Context, wire.Link, netip.AddrPort) (link.Conn, error) {
	n.dials++
	return &stubConn{kind: wire.LinkUTCP}, nil
}

// SPEC 3.6: an acceptor of TCP ends a connection that says nothing for 1 s, and the
// dialler's handshake over QUIC may take 3 s before its turn comes.
func TestAConnectionThatLapsedIsDialledAgain(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	for name, c := range map[string]struct {
		conn *stubConn
		want int
	}{
		"ended":       {&stubConn{kind: wire.LinkUTCP, done: ended}, 1},
		"alive":       {&stubConn{kind: wire.LinkUTCP, done: make(chan struct{})}, 0},
		"ended, QUIC": {&stubConn{kind: wire.LinkQUIC, done: ended}, 0},
	} {
		n := new(redialler)
		d := (&race{network: n}).fresh(t.Context(), dialed{conn: c.conn})
		if n.dials != c.want || (d.conn == c.conn) != (c.want == 0) || d.err != nil {
			t.Errorf("%s: %d dials", name, n.dials)
		}
	}
}
