package session_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// A slow network takes its time for each write to the first stream of a connection
// that is dialled: all that a session does after its decision comes before M3.
type slow struct{ link.Network }

func (s slow) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	c, err := s.Network.Dial(ctx, l, remote)
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: c}, nil
}

type slowConn struct {
	link.Conn
	opened bool
}

func (c *slowConn) Proven() { link.Proven(c.Conn) }

func (c *slowConn) OpenStream(ctx context.Context) (link.Stream, error) {
	if c.opened {
		return c.Conn.OpenStream(ctx)
	}
	c.opened = true
	st, err := c.Conn.OpenStream(ctx)
	return slowStream{st}, err
}

type slowStream struct{ link.Stream }

func (s slowStream) Write(b []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return s.Stream.Write(b)
}

// A message that waits for the session over utcp leaves behind the handshake that
// makes the path, however late M3 leaves: in front of it the peer would not read M3.
func TestAWaitingMessageLeavesBehindTheHandshake(t *testing.T) {
	where := new(did.Static)
	b, idB, addr := secrecyNode(t, 50, where, link.KindUTCP)
	where.Set(idB.DID(), addr)
	idA := numbered(51)
	if _, err := b.Add(session.Peer{DID: idA.DID()}); err != nil {
		t.Fatal(err)
	}
	network, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := session.New(session.Config{Identity: idA, Network: slow{network}, Resolver: where, Carriers: []*link.Kind{link.KindUTCP}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); network.Close() })
	s, err := a.Add(session.Peer{DID: idB.DID(), Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	begun := time.Now()
	if err := s.Send(ctx, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n := s.Status().Handshakes; n != 1 {
		t.Errorf("%d full handshakes were made, and the message took %v", n, time.Since(begun))
	}
}
