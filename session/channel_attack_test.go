package session

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A stream of messages on which a peer says what is malformed is closed; the
// session that it belongs to stays, and its messages arrive. What the channel makes
// of each lie is shown in package msgchan.
func TestLiesOnTheMessageChannelEndNoSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		rnd := rand.New(rand.NewPCG(47, 12))
		for range 50 {
			st := lyingStream(t, sa, rnd.Uint64())
			for refused := false; !refused; time.Sleep(30 * time.Millisecond) {
				p := wire.Piece{Channel: rnd.Uint64(), Number: rnd.Uint64(), Offset: rnd.Uint32(), Data: make([]byte, rnd.IntN(wire.MessageChunk+1))}
				_, err := st.Write(sealed(t, sa, p.Append(nil)))
				refused = err != nil
			}
			w.up(sa, 0)
			w.up(sb, 0)
		}
		if err := sa.Send(t.Context(), []byte("honest")); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, sb, time.Second); string(got) != "honest" {
			t.Fatalf("got %q", got)
		}
	})
}

func lyingStream(t *testing.T, s *Session, id uint64) link.Stream {
	t.Helper()
	var conn link.Conn
	if err := s.call(func(time.Time) error { conn = s.loop.paths.StreamConn(); return nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	st, err := conn.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	st.SetDeadline(time.Now().Add(time.Minute))
	if _, err := st.Write(wire.MessagePreface(id)); err != nil {
		t.Fatal(err)
	}
	return st
}

// sealed is a frame as the session would write it on a stream.
func sealed(t *testing.T, s *Session, frame []byte) (out []byte) {
	t.Helper()
	var e *record.Epoch
	s.call(func(time.Time) error { e = s.loop.keys.InUse(); return nil })
	out, err := e.SealFramed(frame)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
