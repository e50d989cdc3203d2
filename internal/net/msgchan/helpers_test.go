package msgchan

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A conn opens streams to the channel of the other end. Nothing else of a
// connection is used.
type conn struct {
	link.Conn
	to *Channel
}

func (c conn) OpenStream(ctx context.Context) (link.Stream, error) {
	a, b := net.Pipe()
	go func() {
		var head [wire.HandshakeHeaderSize]byte
		io.ReadFull(b, head[:])
		id, ok := wire.ParseMessagePreface(head[:])
		if !ok {
			b.Close()
			return
		}
		c.to.Serve(ctx, b, id)
	}()
	return a, nil
}

func newChannel(limit int) *Channel {
	return New(Config{Limit: limit, Rand: rand.Reader, Protect: func(_ string, f func()) bool { f(); return true }}, Numbers{})
}

// channels are both ends of one session, with an epoch in use.
func channels(t *testing.T, limit int) (a, b *Channel) {
	t.Helper()
	a, b = newChannel(limit), newChannel(limit)
	rotate(t, 1, a, b)
	return a, b
}

// rotate puts another epoch to use at both ends.
func rotate(t *testing.T, number uint32, a, b *Channel) {
	t.Helper()
	ids := [2]wire.RecordID{wire.MakeRecordID([7]byte{1, byte(number)}), wire.MakeRecordID([7]byte{2, byte(number)})}
	var send, recv [32]byte
	send[0], recv[0] = byte(number), byte(number)
	send[1], recv[1] = 1, 2
	for i, c := range []*Channel{a, b} {
		e, err := record.New(record.Keys{Number: number, Cipher: wire.ChaCha20Poly1305, Send: send, Recv: recv, SendID: ids[1-i], RecvID: ids[i]})
		if err != nil {
			t.Fatal(err)
		}
		send, recv = recv, send
		c.Keys.Open(e)
		c.Keys.Seal(e)
	}
}

// carry keeps a's messages on their way to b until the test ends.
func carry(t *testing.T, a, b *Channel) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Carry(ctx, conn{to: b})
	}()
	return func() { cancel(); <-done }
}

func enqueue(t *testing.T, c *Channel, msg []byte) *Outgoing {
	t.Helper()
	o, err := c.Enqueue(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func receive(t *testing.T, c *Channel) (msg []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Deliver(ctx, func(m []byte) error { msg = m; return nil }); err != nil {
		t.Fatal(err)
	}
	return msg
}
