package msgchan

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

func TestMessagesOfEachSizeCross(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := channels(t, 0)
		defer carry(t, a, b)()
		for _, n := range []int{0, 1, wire.MessageChunk, wire.MessageChunk + 1, MaxMessage} {
			want := bytes.Repeat([]byte{byte(n)}, n)
			o := enqueue(t, a, want)
			if got := receive(t, b); !bytes.Equal(got, want) {
				t.Errorf("%d bytes became %d", n, len(got))
			}
			if err := a.Wait(t.Context(), o); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		if _, err := a.Enqueue(t.Context(), make([]byte, MaxMessage+1)); !errors.Is(err, ErrTooLong) {
			t.Errorf("oversize: %v", err)
		}
	})
}

// Streams that break at any time, and an epoch for each: every message arrives
// once and in order.
func TestMessagesOverStreamsThatBreak(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const n = 500
		a, b := channels(t, 0)
		rng := rand.New(rand.NewPCG(1, 2))
		over, sent := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(over)
			for epoch := uint32(2); !isClosed(sent) || a.Pending(); epoch++ {
				stop := carry(t, a, b)
				time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
				stop()
				rotate(t, epoch%250+1, a, b)
			}
		}()
		go func() {
			defer close(sent)
			for i := range uint32(n) {
				enqueue(t, a, binary.LittleEndian.AppendUint32(make([]byte, 0, 4), i))
				time.Sleep(time.Millisecond)
			}
		}()
		for i := range uint32(n) {
			if got := binary.LittleEndian.Uint32(receive(t, b)); got != i {
				t.Fatalf("message %d came at place %d", got, i)
			}
		}
		<-over
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.first(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("more arrived than was sent: %v", err)
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A receiver that takes nothing stops the sender at the limits of both ends.
func TestFullQueuesHoldTheSenderBack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const room = 2 // messages of 1 MiB
		a, b := channels(t, room*(MaxMessage+wire.MessageCost))
		defer carry(t, a, b)()
		var all []*Outgoing
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			o, err := a.Enqueue(ctx, make([]byte, MaxMessage))
			cancel()
			if errors.Is(err, ErrQueueFull) && errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, o)
		}
		if len(all) != 2*room {
			t.Fatalf("%d messages of 1 MiB found room in two queues of %d", len(all), room)
		}
		for _, o := range all {
			receive(t, b)
			if err := a.Wait(t.Context(), o); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAWithdrawnMessageLeavesNoGap(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := channels(t, 0)
		first, second, third := enqueue(t, a, []byte("1")), enqueue(t, a, []byte("2")), enqueue(t, a, []byte("3"))
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Wait(gone, second); !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("withdrawn: %v", err)
		}
		defer carry(t, a, b)()
		if x, y := receive(t, b), receive(t, b); string(x) != "1" || string(y) != "3" {
			t.Errorf("got %q and %q", x, y)
		}
		if err := errors.Join(a.Wait(t.Context(), first), a.Wait(t.Context(), third)); err != nil {
			t.Error(err)
		}
	})
}

// What waits is counted from Enqueue on until it is acknowledged or withdrawn, in
// messages and in their own bytes.
func TestWaitingMessagesAreCounted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := channels(t, 0)
		counts := func(messages, bytes int, when string) {
			t.Helper()
			if m, n := a.Waiting(); m != messages || n != bytes {
				t.Errorf("%s: %d messages of %d bytes, want %d of %d", when, m, n, messages, bytes)
			}
		}
		counts(0, 0, "at first")
		var all []*Outgoing
		for i := range 3 {
			all = append(all, enqueue(t, a, make([]byte, 10*i)))
		}
		counts(3, 30, "queued")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		a.Wait(gone, all[1])
		counts(2, 20, "one withdrawn")
		stop := carry(t, a, b)
		if err := errors.Join(a.Wait(t.Context(), all[0]), a.Wait(t.Context(), all[2])); err != nil {
			t.Error(err)
		}
		stop()
		counts(0, 0, "acknowledged")
		enqueue(t, a, []byte("late"))
		a.Close(errors.New("closed"))
		counts(0, 0, "closed")
	})
}

// What had begun to leave fails when the peer restarts or is unknown when its
// caller gives up; what had not goes to the new incarnation.
func TestWhatBecomesOfMessagesUnderWay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := channels(t, 0)
		begun, waits := enqueue(t, a, []byte("begun")), enqueue(t, a, []byte("waits"))
		a.begin(1, 1<<20)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Wait(gone, begun); !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("given up: %v", err)
		}
		a.Restart()
		if err := a.Wait(t.Context(), begun); !errors.Is(err, ErrPeerRestarted) {
			t.Errorf("begun: %v", err)
		}
		defer carry(t, a, b)()
		if got := receive(t, b); string(got) != "waits" {
			t.Errorf("got %q", got)
		}
		if err := a.Wait(t.Context(), waits); err != nil {
			t.Error(err)
		}
	})
}

func TestAClosedChannelGivesOutWhatItHas(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		why := errors.New("closed")
		a, b := channels(t, 0)
		stop := carry(t, a, b)
		o := enqueue(t, a, []byte("last"))
		if err := a.Wait(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		stop()
		late := enqueue(t, a, []byte("late"))
		a.Close(why)
		b.Close(why)
		if err := a.Wait(t.Context(), late); err != why {
			t.Errorf("unsent: %v", err)
		}
		if _, err := a.Enqueue(t.Context(), nil); err != why {
			t.Errorf("enqueue: %v", err)
		}
		if got := receive(t, b); string(got) != "last" {
			t.Errorf("got %q", got)
		}
		if err := b.Deliver(t.Context(), nil); err != why {
			t.Errorf("deliver: %v", err)
		}
	})
}

// A message that its program could not keep stays the next one.
func TestARefusedDeliveryKeepsTheMessage(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := channels(t, 0)
		defer carry(t, a, b)()
		enqueue(t, a, []byte("x"))
		full := errors.New("disk full")
		if err := b.Deliver(t.Context(), func([]byte) error { return full }); err != full {
			t.Fatal(err)
		}
		if got := receive(t, b); string(got) != "x" {
			t.Errorf("got %q", got)
		}
	})
}

// A stream of an earlier connection that comes late takes over from the one in use.
// The sender of the latter notices, and goes on over another.
func TestSenderOfAStreamThatIsReplacedNotices(t *testing.T) {
	a, b := channels(t, 1<<20)
	for range 2 {
		done := make(chan error, 1)
		go func() { done <- a.Carry(t.Context(), conn{to: b}) }()
		o := enqueue(t, a, []byte("a message"))
		receive(t, b)
		if err := a.Wait(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		b.newStream()
		select {
		case err := <-done:
			if err == nil {
				t.Error("the stream ended without an error")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the sender waits for ACKs of a stream that has none")
		}
	}
}

// A Runner opens one stream a connection, another when the connection changes, and
// another a moment after one has failed.
func TestARunnerFollowsTheConnectionInUse(t *testing.T) {
	now := time.Unix(0, 0)
	var ended []func(time.Time)
	c := newChannel(0)
	r := Runner{Channel: c, Go: func(_ func() error, end func(time.Time)) { ended = append(ended, end) }}
	one, two := conn{to: c}, conn{to: newChannel(0)}
	step := func(runs int, what string) {
		t.Helper()
		if len(ended) != runs {
			t.Fatalf("%d streams %s, want %d", len(ended), what, runs)
		}
	}
	r.Carry(t.Context(), one)
	step(0, "without a message")
	enqueue(t, c, []byte("x"))
	r.Carry(t.Context(), nil)
	step(0, "without a connection")
	r.Carry(t.Context(), one)
	r.Carry(t.Context(), one)
	step(1, "on one connection")
	r.Carry(t.Context(), two)
	step(2, "on two")
	ended[0](now) // the replaced one: nothing follows
	if !r.Deadline().IsZero() {
		t.Error("a replaced stream is tried again")
	}
	ended[1](now)
	if at := r.Deadline(); at != now.Add(again) || r.Due(now) || !r.Due(at) || r.Due(at) {
		t.Errorf("tried again at %v", at)
	}
	r.Carry(t.Context(), two)
	step(3, "after a failure")
}
