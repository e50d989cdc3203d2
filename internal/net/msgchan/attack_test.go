package msgchan

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A liar is a peer that has the keys of a session and writes what it likes on
// streams of its own.
type liar struct {
	keys *Keys
	st   link.Stream
	id   uint64
}

func lies(t *testing.T, from, to *Channel, id uint64) *liar {
	t.Helper()
	st, err := conn{to: to}.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, st)
	st.SetDeadline(time.Now().Add(time.Minute))
	if _, err := st.Write(wire.MessagePreface(id)); err != nil {
		t.Fatal(err)
	}
	return &liar{&from.Keys, st, id}
}

// piece reports whether the channel takes more.
func (l *liar) piece(number, offset uint64, last bool, data []byte) bool {
	p := wire.Piece{Channel: l.id, Number: number, Offset: uint32(offset), Last: last, Data: data}
	return l.keys.Write(l.st, p.Append(nil)) == nil
}

// Whatever a peer writes on the message channel: nothing beyond the limit is held,
// nothing comes twice or out of order, and the channel works for what it writes
// honestly afterwards.
func TestAPeerLiesOnTheMessageChannel(t *testing.T) {
	const limit = 2 << 20
	bubble.Test(t, func(t *testing.T) {
		sa, sb := channels(t, limit)
		rnd := rand.New(rand.NewPCG(47, 11))
		held := func() (n int) {
			sb.mu.Lock()
			defer sb.mu.Unlock()
			for _, m := range sb.in {
				n += len(m) + wire.MessageCost
			}
			return n + len(sb.partial)
		}
		waiting := func() int {
			sb.mu.Lock()
			defer sb.mu.Unlock()
			return len(sb.in)
		}
		most, frames := 0, 0
		for range 200 { // channels, each until it is refused
			l := lies(t, sa, sb, rnd.Uint64())
			sb.mu.Lock()
			next := sb.last + 1
			sb.mu.Unlock()
			for offset := uint64(0); frames < 20_000; frames++ {
				number, at, size, last := next, offset, rnd.IntN(wire.MessageChunk+1), rnd.IntN(4) == 0
				switch rnd.IntN(60) {
				case 0:
					number = rnd.Uint64()
				case 1:
					number = math.MaxUint64
				case 2:
					number = 0
				case 3:
					at = uint64(rnd.Uint32())
				case 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20:
					size = 0
				case 21:
					l.id++
				}
				if !l.piece(number, at, last, make([]byte, size)) {
					break
				}
				if offset += uint64(size); last {
					offset, next = 0, next+1
				}
				if frames%16 == 0 {
					time.Sleep(30 * time.Millisecond)
					most = max(most, held())
				}
			}
			l.st.Close()
			time.Sleep(30 * time.Millisecond)
			most = max(most, held())
			if rnd.IntN(4) == 0 { // a program takes some
				for waiting() > 2 {
					receive(t, sb)
				}
			}
		}
		if most > limit {
			t.Errorf("%d bytes held of %d", most, limit)
		}
		for waiting() > 0 {
			receive(t, sb)
		}
		want := binary.LittleEndian.AppendUint64(nil, 4711)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		sb.mu.Lock()
		next := sb.last + 1
		sb.mu.Unlock()
		sa.mu.Lock()
		sa.next = next // as if all of it had been honest
		sa.mu.Unlock()
		defer carry(t, sa, sb)()
		err := sa.Wait(ctx, enqueue(t, sa, want))
		got := receive(t, sb)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %x", err, got)
		}
		faults.Report(t, "S47", most <= limit && err == nil && bytes.Equal(got, want), "%d frames on 200 channels of a peer that lies: at most %d KiB of %d held, an honest message arrives", frames, most>>10, limit>>10)
	})
}

// A peer that acknowledges what was never sent, or nothing, harms what is sent to it
// and nothing else: memory stays bounded, and Send ends with its context.
func TestAPeerLiesInAcknowledgements(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		_, sb := channels(t, 2<<20)
		for _, a := range []wire.Ack{{Number: math.MaxUint64, Limit: math.MaxUint64}, {Number: 5, Limit: 0}, {Number: 0, Limit: math.MaxUint64}} {
			c := &sender{c: sb, acked: make(chan struct{}, 1)}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			o, err := sb.Enqueue(ctx, make([]byte, 100))
			if err != nil {
				t.Fatal(err)
			}
			c.take(a)
			sb.acknowledge(a.Number)
			failed := make(chan error)
			lost, stop := context.WithTimeout(ctx, 100*time.Millisecond)
			c.st = deafStream{}
			if err := c.send(lost, failed); err == nil {
				t.Error("send ended without a reason")
			}
			select {
			case <-o.answer:
			default:
				if err := sb.withdraw(o, context.Canceled); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				sb.acknowledge(math.MaxUint64)
			}
			stop()
			cancel()
		}
		if sb.queued != 0 || len(sb.out) != 0 {
			t.Errorf("%d bytes stay", sb.queued)
		}
	})
}

// deafStream takes everything.
type deafStream struct{ link.Stream }

func (deafStream) Write(b []byte) (int, error) { return len(b), nil }
