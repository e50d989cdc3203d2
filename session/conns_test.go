package session

import (
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
