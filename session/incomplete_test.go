package session

import (
	"context"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A lateNode's connections come before their handshake is complete, as QUIC's with
// 0-RTT do.
type lateNode struct {
	*memnet.Node
	complete chan struct{}
}

func (n lateNode) Accept(ctx context.Context) (link.Conn, error) {
	c, err := n.Node.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return lateConn{c, n.complete}, nil
}

type lateConn struct {
	link.Conn
	complete chan struct{}
}

func (c lateConn) Completed() <-chan struct{} { return c.complete }

// Before the handshake of a connection is complete, nothing that comes on it is
// answered but the M1r of a known secret.
// SPEC R-3.4-9, R-6.11-4.
func TestNothingIsAnsweredBeforeTheHandshake(t *testing.T) {
	for _, c := range []struct {
		name     string
		first    func(t *testing.T, b *host) []byte
		answered bool // once the handshake is complete
	}{
		{"a first contact", func(t *testing.T, b *host) []byte { return keysReq(t, b) }, true},
		{"an M1r of no known secret", func(t *testing.T, b *host) []byte {
			return strangeM1r(t, b, handshake.Resumption(handshake.ResumeID{1}))
		}, true},
		{"an M1r of a rotation", func(t *testing.T, b *host) []byte { return strangeM1r(t, b, handshake.Rotation(1<<20, 1)) }, true},
		{"a join", func(t *testing.T, b *host) []byte { return append(wire.JoinPreface(), keysReq(t, b)...) }, true},
		{"the message channel", func(*testing.T, *host) []byte { return append(wire.MessagePreface(1), make([]byte, 100)...) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				late, stranger := w.host(3), w.net.Node(w.host(4).addr)
				late.node = w.net.Node(late.addr)
				complete := make(chan struct{})
				m, err := New(Config{Identity: late.id, Network: lateNode{late.node, complete}, Resolver: late.dir})
				if err != nil {
					t.Fatal(err)
				}
				late.m = m
				defer late.down()
				defer stranger.Kill()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				conn, err := stranger.Dial(ctx, wire.LinkQUIC, late.addr)
				if err != nil {
					t.Fatal(err)
				}
				st, err := conn.OpenStream(ctx)
				if err != nil {
					t.Fatal(err)
				}
				write(t, st, c.first(t, late))
				if heardOn(st, time.Second) {
					t.Error("answered before the handshake is complete")
				}
				close(complete)
				if got := heardOn(st, time.Second); got != c.answered {
					t.Errorf("answered once it is complete: %v", got)
				}
			})
		})
	}
	faults.Report(t, "H19", true, "a first contact, a join, a message, an M1r of no secret before QUIC's handshake is complete: no byte of an answer")
}

func write(t *testing.T, st link.Stream, b []byte) {
	t.Helper()
	if _, err := st.Write(b); err != nil {
		t.Fatal(err)
	}
}

// heardOn reports whether a byte comes within a time.
func heardOn(st link.Stream, within time.Duration) bool {
	st.SetDeadline(time.Now().Add(within))
	n, _ := st.Read(make([]byte, 1))
	return n > 0
}

func strangerParams() wire.Params {
	return wire.Params{RecordID: wire.MakeRecordID([7]byte{9}), Epoch: 1 << 20, Incarnation: 7}
}

func keysReq(t *testing.T, to *host) []byte {
	t.Helper()
	i, err := handshake.NewInitiator(handshake.Config{Identity: to.w.a.id}, to.id.DID(), nil, strangerParams())
	if err != nil {
		t.Fatal(err)
	}
	out, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func strangeM1r(t *testing.T, to *host, what handshake.Short) []byte {
	t.Helper()
	i, err := handshake.NewShortInitiator(handshake.Config{Identity: to.w.a.id}, to.id.KeySet(), what, handshake.Key{2}, strangerParams())
	if err != nil {
		t.Fatal(err)
	}
	out, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
