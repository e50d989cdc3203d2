package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

func receive(t *testing.T, s *Session, within time.Duration) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	msg, err := s.Receive(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return msg
}

// numbered sends messages 1 to n in order without waiting for each, and returns
// what collects their outcomes.
func numbered(t *testing.T, s *Session, n int, gap time.Duration) (wait func()) {
	t.Helper()
	done := make(chan error, n)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range n {
			o, err := s.loop.msgs.Enqueue(t.Context(), binary.LittleEndian.AppendUint32(nil, uint32(i+1)))
			if err != nil {
				done <- err
				return
			}
			s.wantStream()
			go func() { done <- s.loop.msgs.Wait(t.Context(), o) }()
			time.Sleep(gap)
		}
	}()
	return func() {
		t.Helper()
		<-sent
		for range n {
			if err := <-done; err != nil {
				t.Errorf("message failed: %v", err)
			}
		}
	}
}

func wantNumbered(t *testing.T, s *Session, n int, within time.Duration) {
	t.Helper()
	for i := range n {
		if got := binary.LittleEndian.Uint32(receive(t, s, within)); got != uint32(i+1) {
			t.Fatalf("message %d came at place %d", got, i+1)
		}
	}
}

func TestMessageCrosses(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		for _, n := range []int{0, 1, 16 << 10, 16<<10 + 1, MaxMessage} {
			want := bytes.Repeat([]byte{byte(n)}, n)
			if err := sa.Send(t.Context(), want); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if got := receive(t, sb, time.Second); !bytes.Equal(got, want) {
				t.Fatalf("%d bytes became %d", n, len(got))
			}
		}
		if err := sb.Send(t.Context(), []byte("back")); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, sa, time.Second); string(got) != "back" {
			t.Fatalf("got %q", got)
		}
	})
}

// A message that waits for its acknowledgement is counted in the status.
func TestWaitingMessagesAreShown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.cut(true)
		done := make(chan error)
		go func() { done <- sa.Send(t.Context(), make([]byte, 100)) }()
		time.Sleep(time.Second)
		if st := sa.Status(); st.Messages != 1 || st.MessageBytes != 100 {
			t.Errorf("%d messages of %d bytes wait, want 1 of 100", st.Messages, st.MessageBytes)
		}
		w.cut(false)
		receive(t, sb, time.Minute)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if st := sa.Status(); st.Messages != 0 || st.MessageBytes != 0 {
			t.Errorf("%d messages of %d bytes wait after the acknowledgement", st.Messages, st.MessageBytes)
		}
	})
}

func TestMessageErrors(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		if err := sa.Send(t.Context(), make([]byte, MaxMessage+1)); !errors.Is(err, ErrTooLong) {
			t.Errorf("oversize: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := sa.Receive(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled receive: %v", err)
		}
		w.cut(true)
		time.Sleep(time.Second)
		if err := sa.Send(ctx, []byte("never")); !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("cancelled send: %v", err)
		}
		w.cut(false)
		sa.Close()
		if err := sa.Send(t.Context(), []byte("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("send on a closed session: %v", err)
		}
		if _, err := sa.Receive(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("receive on a closed session: %v", err)
		}
		if err := sa.Rotate(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("rotate a closed session: %v", err)
		}
	})
}

// 1000 rotations with loss, reordering and lost confirmations: every message
// arrives, once, in order.
func TestMessagesAcrossRotations(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.net.SetAll(memnet.Line{Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.05, Duplicate: 0.05})
		const n = 5000
		wait := numbered(t, sa, n, 10*time.Millisecond)
		rotated := make(chan struct{})
		go func() {
			defer close(rotated)
			for i := range 1000 {
				w.rotate([]*Session{sa, sb}[i%2])
			}
		}()
		wantNumbered(t, sb, n, 30*time.Second)
		wait()
		<-rotated
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := sb.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("more arrived than was sent: %v", err)
		}
	})
}

// Scenario 3.2: messages sent during an outage are all there, in order, soon
// after it; the layers above do not notice which connection carries them.
func TestScenario3_2_MessagesSurviveOutages(t *testing.T) {
	for _, outage := range []time.Duration{3 * time.Second, 30 * time.Second, 10 * time.Minute} {
		inWorld(t, func(t *testing.T, w *world) {
			sa, sb := w.pair(Settings{Heartbeat: 2 * time.Second})
			const n = 400
			wait := numbered(t, sa, n, 5*time.Millisecond)
			time.Sleep(300 * time.Millisecond)
			w.cut(true)
			time.Sleep(outage)
			w.cut(false)
			healed := time.Now()
			wantNumbered(t, sb, n, 70*time.Second)
			wait()
			t.Logf("outage of %v: all there %v after healing", outage, time.Since(healed))
			if sa.Status().Handshakes != 1 {
				t.Errorf("%d full handshakes", sa.Status().Handshakes)
			}
		})
	}
}

// A peer that restarted: what was on its way fails with ErrPeerRestarted, what
// had not left goes to the new one; nothing is delivered twice.
// SPEC R-6.7-6.
func TestPeerRestartFailsWhatWasOnItsWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{Heartbeat: 2 * time.Second})
		if err := sa.Send(t.Context(), []byte("before")); err != nil {
			t.Fatal(err)
		}
		receive(t, sb, time.Second)
		w.cut(true)
		lost := make(chan error, 1)
		go func() { lost <- sa.Send(t.Context(), []byte("lost")) }()
		time.Sleep(time.Second)
		w.b.crash()
		later := make(chan error, 1)
		time.Sleep(5 * time.Second)
		go func() { later <- sa.Send(t.Context(), []byte("later")) }()
		w.cut(false)
		w.b.up()
		sb = w.b.peer(w.a, false, Settings{})
		if err := <-lost; !errors.Is(err, ErrPeerRestarted) {
			t.Fatalf("what was on its way: %v", err)
		}
		if got := receive(t, sb, 10*time.Second); string(got) != "later" {
			t.Fatalf("got %q", got)
		}
		if err := <-later; err != nil {
			t.Fatal(err)
		}
	})
}

// A program that does not call Receive stops its peer's messages, never rotation;
// a full queue is an error to the caller, and nothing is lost.
// SPEC R-6.7-3.
func TestBackPressure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{MessageQueueBytes: 2 * (MaxMessage + 64)})
		big := make([]byte, MaxMessage)
		accepted := 0
		results := make(chan error, 16)
		for ; ; accepted++ {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			o, err := sa.loop.msgs.Enqueue(ctx, big)
			cancel()
			if errors.Is(err, ErrQueueFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			sa.wantStream()
			go func() { results <- sa.loop.msgs.Wait(t.Context(), o) }()
		}
		if accepted != 4 { // two at the receiver, two here
			t.Fatalf("%d messages of 1 MiB found room in two queues of 2 MiB", accepted)
		}
		w.rotate(sa)
		for range accepted {
			if got := receive(t, sb, time.Second); len(got) != len(big) {
				t.Fatalf("%d bytes", len(got))
			}
		}
		for range accepted {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Random cuts while messages flow both ways.
// SPEC R-6.7-4.
func TestMessagesThroughChaos(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				rng := rand.New(rand.NewPCG(seed, 1))
				sa, sb := w.pair(Settings{Heartbeat: time.Second})
				const n = 2000
				waitA, waitB := numbered(t, sa, n, 20*time.Millisecond), numbered(t, sb, n, 20*time.Millisecond)
				stop := make(chan struct{})
				over := make(chan struct{})
				go func() {
					defer close(over)
					for i := 0; ; i++ {
						select {
						case <-stop:
							w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond})
							return
						case <-time.After(time.Duration(rng.Int64N(int64(8 * time.Second)))):
						}
						w.net.SetAll(memnet.Line{Delay: time.Duration(rng.Int64N(int64(50 * time.Millisecond))), Loss: rng.Float64() * 0.3, Jitter: 20 * time.Millisecond, Cut: i%2 == 0})
					}
				}()
				got := make(chan struct{})
				go func() { defer close(got); wantNumbered(t, sa, n, 10*time.Minute) }()
				wantNumbered(t, sb, n, 10*time.Minute)
				<-got
				close(stop)
				<-over
				waitA()
				waitB()
			})
		})
	}
	faults.Report(t, "M8", true, "4 runs of random cuts, 2000 messages each way: once, in order")
}
