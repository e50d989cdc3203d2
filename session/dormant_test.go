package session

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
)

// dormant reports whether a session has no loop.
func dormant(s *Session) bool { return s.box.Resting(func() {}) }

// sleep lets a session sleep, as when both ends have agreed to it.
func (s *Session) sleep() bool {
	asleep := false
	s.box.Tell(func(now time.Time) { asleep = s.loop.retire(now) })
	synctest.Wait()
	return asleep
}

// A peer that is not kept has no loop until something wants it; looking at it is nothing
// of that.
func TestAPeerThatIsNotKeptBeginsDormant(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.a.peer(w.b, true, Settings{}), w.b.peer(w.a, false, Settings{})
		if !dormant(sb) || dormant(sa) {
			t.Errorf("dormant: the kept one %v, the other %v", dormant(sa), dormant(sb))
		}
		sb.Status()
		sb.Counts()
		w.b.m.NetworkChanged()
		w.b.m.Jumped(time.Second)
		synctest.Wait()
		if sb.Update("a", false, false, false); !dormant(sb) || sb.State() != Idle || sb.Name() != "a" {
			t.Error("a look wakes a session")
		}
		w.want(sb, Established, 3*time.Second)
		w.want(sa, Established, 3*time.Second)
	})
}

// A sleeping session has no goroutine, says so, and comes back by one resumption, at
// both ends, whoever wants it; what was counted and numbered goes on.
func TestASleepingSessionIsResumed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.want(sa, Established, 3*time.Second)
		w.want(sb, Established, 3*time.Second)
		for i := range 10 {
			from, to := sa, sb
			if i%2 == 1 {
				from, to = sb, sa
			}
			msg := binary.LittleEndian.AppendUint32(nil, uint32(i))
			go from.Send(t.Context(), msg)
			if got, err := to.Receive(t.Context()); err != nil || string(got) != string(msg) {
				t.Fatalf("%d: %x, %v", i, got, err)
			}
			time.Sleep(time.Second)
			if !sa.sleep() || !sb.sleep() || !dormant(sa) || !dormant(sb) {
				t.Fatalf("%d: not asleep: %v and %v", i, sa.State(), sb.State())
			}
			for _, s := range []*Session{sa, sb} {
				if st := s.Status(); st.State != Idle || st.Reason != ReasonAsleep || st.Handshakes != 1 || st.Epoch != 0 || st.HandshakeAge <= 0 {
					t.Errorf("%d: %+v", i, st)
				}
				if !s.chat.Folded() {
					t.Errorf("%d: the channel of a sleeping session is kept", i)
				}
			}
			time.Sleep(time.Minute)
			if !dormant(sa) || !dormant(sb) {
				t.Fatalf("%d: woken by nothing", i)
			}
		}
		if err := sb.establish(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.want(sa, Established, time.Second)
		full, resumed := sa.Counts().Handshakes[HandshakeFull], sa.Counts().Handshakes[HandshakeResumed]
		if full != 1 || resumed != 10 {
			t.Errorf("%d full handshakes and %d resumptions", full, resumed)
		}
	})
}

// Wakes and retirements that cross lose nothing: every message arrives once and in
// order, and every call is answered. A message meets about nine retirements on its way;
// 250 meet each pause between two of these with each pause between two messages more than
// ten times (-long: 1,000).
func TestCrossingWakesAndRetirements(t *testing.T) {
	messages := uint32(bubble.Times(250, 60))
	if *long {
		messages = 1000
	}
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.want(sa, Established, 3*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var failed error
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range messages {
				if err := sa.Send(ctx, binary.LittleEndian.AppendUint32(nil, i)); err != nil {
					failed = fmt.Errorf("message %d: %w", i, err)
					return
				}
				time.Sleep(time.Duration(i%7) * time.Millisecond)
			}
		}()
		go func() {
			for i := 0; ctx.Err() == nil; i++ {
				for _, s := range []*Session{sa, sb}[i%2:] {
					s.box.Tell(func(now time.Time) { s.loop.retire(now) })
				}
				time.Sleep(time.Duration(20+i%23) * time.Millisecond)
			}
		}()
		for i := range messages {
			got, err := sb.Receive(ctx)
			if err != nil || binary.LittleEndian.Uint32(got) != i {
				t.Fatalf("message %d: %x, %v", i, got, err)
			}
			if i%64 == 0 {
				sb.Update("b", false, false, false)
				sa.Status()
			}
		}
		if <-sent; failed != nil {
			t.Error(failed)
		}
	})
}
