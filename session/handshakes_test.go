package session_test

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/transport"
)

// BenchmarkHandshakes is a connection and a full handshake over it, without a
// session around them: address proven (Retry), connected, M1, M2 and M3, closed;
// each by itself, one after the other, over loopback. The peer's keys are known,
// as they are to a session but for its first handshake.
func BenchmarkHandshakes(b *testing.B) { benchmarkHandshakes(b, true) }

// BenchmarkFirstContacts is the same with the peer's keys fetched each time, one
// round trip and one signature more.
func BenchmarkFirstContacts(b *testing.B) { benchmarkHandshakes(b, false) }

func benchmarkHandshakes(b *testing.B, known bool) {
	const n = 1000
	overBoth(b, n, func(b *testing.B, carrier *link.Kind) (run, end func()) {
		x, y := newShaker(b, 1), newShaker(b, 2)
		accepted := make(chan error, 1)
		one := func() *handshake.PeerKeys {
			go func() { accepted <- y.answer(b.Context()) }()
			keys, err := x.ask(b.Context(), carrier.Link, y)
			if err != nil {
				b.Fatal(err)
			}
			if err := <-accepted; err != nil {
				b.Fatal(err)
			}
			return keys
		}
		if keys := one(); known {
			x.known = keys
		}
		run = func() {
			for range n {
				one()
			}
		}
		return run, func() { x.net.Close(); y.net.Close() }
	})
}

// A shaker is a node without sessions.
type shaker struct {
	id     *did.Identity
	net    *transport.Transport
	prekey *handshake.Prekey
	known  *handshake.PeerKeys // of whom it asks; nil: fetched each time
}

func newShaker(b *testing.B, n byte) *shaker {
	id, err := did.NewIdentity(append(make([]byte, 31), n))
	if err != nil {
		b.Fatal(err)
	}
	net, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		b.Fatal(err)
	}
	prekey, err := handshake.NewPrekey(id, time.Now(), time.Now().Add(time.Hour), nil)
	if err != nil {
		b.Fatal(err)
	}
	s := &shaker{id: id, net: net, prekey: prekey}
	net.Handle(s)
	return s
}

// Records, Known and Unreachable implement link.Handler: no records come.
func (*shaker) Records(link.Path, [][]byte) {}
func (*shaker) Known(wire.RecordID) bool    { return false }
func (*shaker) Unreachable(netip.AddrPort)  {}

// ByID implements handshake.PrekeyStore.
func (s *shaker) ByID(id uint32) *handshake.Prekey {
	if id != s.prekey.ID() {
		return nil
	}
	return s.prekey
}

// Current implements handshake.PrekeyStore.
func (s *shaker) Current() *handshake.Prekey { return s.prekey }

func (s *shaker) config(c link.Conn) handshake.Config {
	kind, value := c.Binding()
	return handshake.Config{Identity: s.id, Binding: handshake.Binding{Kind: kind, Value: value}}
}

// params are like those of a session, with a record id of its own.
func params(n byte) wire.Params {
	return wire.Params{RecordID: wire.MakeRecordID([7]byte{n}), AES: true, MTU: 1420, Epoch: 1, Incarnation: 1}
}

// ask dials y and is the initiator. It returns the keys of y.
func (s *shaker) ask(ctx context.Context, l wire.Link, y *shaker) (*handshake.PeerKeys, error) {
	c, err := s.net.Dial(ctx, l, y.net.LocalAddr())
	if err != nil {
		return nil, err
	}
	defer c.Close("done")
	st, err := c.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	i, err := handshake.NewInitiator(s.config(c), y.id.DID(), s.known, params(1))
	if err != nil {
		return nil, err
	}
	out, err := i.Start(nil)
	var res *handshake.Result
	for err == nil && res == nil {
		if _, err = st.Write(out); err != nil {
			return nil, err
		}
		var msg []byte
		if msg, err = message(st); err == nil {
			out, res, err = i.Read(nil, msg)
		}
	}
	if err != nil {
		return nil, err
	}
	if _, err := st.Write(out); err != nil { // M3
		return nil, err
	}
	_, _ = st.Read(make([]byte, 1)) // the end: M3 has been read
	return res.PeerKeys, nil
}

// answer accepts one connection and is the responder.
func (s *shaker) answer(ctx context.Context) error {
	c, err := s.net.Accept(ctx)
	if err != nil {
		return err
	}
	st, err := c.AcceptStream(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	r := handshake.NewResponder(s.config(c), s)
	for {
		msg, err := message(st)
		if err != nil {
			return err
		}
		out, claim, err := r.Read(nil, msg)
		if err != nil {
			return err
		}
		if claim != nil {
			if out, _, err = r.Accept(nil, params(2)); err != nil {
				return err
			}
		}
		if _, err := st.Write(out); err != nil {
			return err
		}
		if claim != nil {
			break
		}
	}
	msg, err := message(st)
	if err != nil {
		return err
	}
	_, err = r.Finish(msg)
	return err
}

// message reads one of the handshake.
func message(r io.Reader) ([]byte, error) {
	head := make([]byte, wire.HandshakeHeaderSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size, err := wire.MessageSize(head)
	if err != nil {
		return nil, err
	}
	msg := append(head, make([]byte, size-len(head))...)
	_, err = io.ReadFull(r, msg[len(head):])
	return msg, err
}
