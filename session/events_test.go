package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/state"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

// lines notes the lines that a session logs, without writing them.
type lines struct {
	n           int
	said, cause string // of the newest
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelDebug }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *lines) WithGroup(string) slog.Handler                    { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	if !strings.HasPrefix(r.Message, "session ") { // rotations, refusals
		return nil
	}
	l.n, l.said = l.n+1, r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "cause" {
			l.cause = a.Value.String()
		}
		return true
	})
	return nil
}

// M3: the same events to a session: each change is kept once and logged once, with
// its cause; each refusal is counted and changes nothing.
func TestSessionOnRandomEvents(t *testing.T) {
	events := bubble.Times(1_000_000, 100_000)
	var refused, changes uint64
	inWorld(t, func(t *testing.T, w *world) {
		said, h := new(lines), w.host(3)
		h.node = w.net.Node(h.addr)
		m, err := New(Config{Identity: h.id, Network: h.node, Resolver: h.dir, Logger: slog.New(said)})
		if err != nil {
			t.Fatal(err)
		}
		h.m = m
		defer h.down()
		s := h.peer(w.b, false, Settings{})
		rng, watch := rand.New(rand.NewPCG(3, 3)), m.Watch()
		wrong := s.call(func(now time.Time) error {
			for range events {
				e, from, logged, kept := Event(rng.IntN(int(state.NumEvents))), s.loop.state, said.n, m.history.Added()
				ok := s.loop.event(e, now)
				switch {
				case !ok:
					refused++
					fallthrough
				case s.loop.state == from:
					if s.loop.state != from || m.history.Added() != kept || said.n != logged {
						return fmt.Errorf("%v on %v: now %v, and an entry", from, e, s.loop.state)
					}
				default:
					changes++
					newest, _, err := watch.Next(t.Context())
					if err = errors.Join(err, entryOf(newest, said, from, s.loop.state, e)); err != nil || m.history.Added() != kept+1 || said.n != logged+1 {
						return fmt.Errorf("%v on %v: now %v, %d entries, %d lines: %w", from, e, s.loop.state, m.history.Added()-kept, said.n-logged, err)
					}
				}
				if s.loop.refused != refused {
					return fmt.Errorf("%v on %v: %d refused, %d counted", from, e, refused, s.loop.refused)
				}
				if s.loop.state == Closed {
					s.loop.state = Idle
				}
			}
			s.loop.state = Idle
			return nil
		})
		if wrong != nil {
			t.Fatal(wrong)
		}
		synctest.Wait()
		if n := s.Status().Refused; n != refused {
			t.Errorf("the status counts %d refusals, not %d", n, refused)
		}
	})
	faults.Report(t, "M3", refused > 0 && changes > 0, "10^6 events to a session: %d refused, each counted and without effect; %d changes, each kept and logged once with its cause", refused, changes)
}

// entryOf checks a change against what was kept and said of it, and against the
// table.
func entryOf(kept Transition, said *lines, from, to State, e Event) error {
	next, ok := from.Next(e)
	switch {
	case !ok || next != to:
		return errors.New("the table has another transition")
	case kept.From != from.String() || kept.To != to.String() || kept.Cause != e.String():
		return fmt.Errorf("kept as %+v", kept)
	case (to == Failed || e == FallAsleep) != (kept.Reason != NoReason):
		return fmt.Errorf("reason %q", kept.Reason)
	case said.said != "session "+to.String() || said.cause != e.String():
		return fmt.Errorf("logged as %q, cause %q", said.said, said.cause)
	}
	return nil
}

// spec/behaviour.md 6.2: a refused event is counted and changes nothing.
func TestRefusedEventChangesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.a.peer(w.b, false, Settings{})
		history := len(w.a.m.History())
		s.call(func(now time.Time) error {
			if s.loop.event(HeartbeatOK, now) {
				t.Error("idle took heartbeat_ok")
			}
			return nil
		})
		synctest.Wait() // the loop publishes after the call
		if s.State() != Idle || s.Status().Refused != 1 || len(w.a.m.History()) != history {
			t.Fatalf("state %v, refused %d, history %d", s.State(), s.Status().Refused, len(w.a.m.History()))
		}
	})
	faults.Report(t, "M3", true, "a refusal is counted and changes nothing")
}
