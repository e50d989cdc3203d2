package session

import (
	"context"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// spec/behaviour.md 6.9: after a copy nothing is sealed under an old key, nothing is resumed,
// and the session is back by a full handshake over a new connection.
func TestACopiedMachineDropsAllKeys(t *testing.T) {
	for _, certain := range []bool{true, false} {
		var back time.Duration
		inWorld(t, func(t *testing.T, w *world) {
			sa, sb := w.pair(Settings{})
			drain(sb)
			if err := sa.Send(t.Context(), []byte("before")); err != nil {
				t.Fatal(err)
			}
			var old []*record.Epoch
			var conns []link.Conn
			sa.call(func(time.Time) error {
				old = append(old, sa.loop.keys.InUse())
				conns = sa.connections()
				return nil
			})
			resume, incarnation, prekey := resumeOf(sa), sa.loop.incarnation, w.a.m.responder.Prekeys().Current().ID()
			start := time.Now()
			w.a.m.Copied(certain)
			sa.call(func(time.Time) error { return nil })
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := sa.Send(ctx, []byte("after")); err != nil {
				t.Fatal(err)
			}
			back = time.Since(start)
			a, b := sa.Status(), sb.Status()
			if a.Handshakes != 2 || b.Handshakes != 2 || a.State != Established || a.Epoch != b.Epoch {
				t.Errorf("%v, %d and %d full handshakes, epochs %d and %d", a.State, a.Handshakes, b.Handshakes, a.Epoch, b.Epoch)
			}
			for _, e := range old {
				if err := e.Seal(new(wire.Batch), wire.SpaceControl, [][]byte{[]byte("x")}); err == nil {
					t.Error("an old epoch still seals")
				}
			}
			for _, c := range conns {
				if !ended(c.Done()) {
					t.Error("an old connection is still open")
				}
			}
			if got := resumeOf(sa); got.in == resume.in || got.out == resume.out {
				t.Error("a resumption secret is still there")
			}
			if (sa.loop.incarnation != incarnation) != certain {
				t.Errorf("certain %v: incarnation %x, before %x", certain, sa.loop.incarnation, incarnation)
			}
			if w.a.m.responder.Prekeys().Current().ID() == prekey || w.a.m.responder.Prekeys().ByID(prekey) != nil {
				t.Error("the prekey is still there")
			}
			if back > 3*time.Second {
				t.Errorf("back after %v", back)
			}
		})
		faults.Report(t, "S12", true, "copied (certain: %v): epochs, secrets, connections and prekeys of before are gone; a message is acknowledged after %v, by a full handshake", certain, back)
	}
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		drain(sb)
		time.Sleep(10 * time.Second)
		if a := sa.Status(); a.Handshakes != 1 {
			t.Errorf("%d full handshakes", a.Handshakes)
		}
	})
	faults.Control(t, "S12", "no copy: one full handshake")
}

// A handshake that was under way when the machine was copied agrees on nothing.
func TestACopyEndsHandshakesUnderWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		drain(sb)
		for range 20 {
			sa.call(func(now time.Time) error { sa.loop.attempts.Begin(InitiateHandshake, now); return nil })
			time.Sleep(15 * time.Millisecond) // M1 is on its way, or M2 back
			w.a.m.Copied(true)
			w.b.m.Copied(true)
			sa.call(func(time.Time) error { return nil })
			if err := sa.Send(t.Context(), []byte("x")); err != nil {
				t.Fatal(err)
			}
			if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch {
				t.Fatalf("epochs %d and %d", a.Epoch, b.Epoch)
			}
		}
	})
}

// SPEC 5.1 "Life of a prekey": renewed and erased in time, although nobody calls.
// SPEC R-5.1-5.
func TestPrekeysAreRenewedByATimer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.pair(Settings{})
		m := w.a.m
		first := m.responder.Prekeys().Current()
		at := func(d time.Duration) { time.Sleep(d) }
		at(connect.PrekeyLife - time.Minute)
		if m.responder.Prekeys().Current() != first {
			t.Error("renewed early")
		}
		at(2 * time.Minute)
		second := m.responder.Prekeys().Current()
		if second == first || m.responder.Prekeys().ByID(first.ID()) != first {
			t.Error("not renewed after 24 h, or the previous one is gone")
		}
		at(connect.PrekeyLife)
		if m.responder.Prekeys().ByID(first.ID()) != nil || m.responder.Prekeys().Current() == second {
			t.Error("a prekey of two days ago is still there")
		}
		third := m.responder.Prekeys().Current()
		m.Jumped(connect.PrekeyLife)
		at(time.Second)
		if m.responder.Prekeys().Current() == third || m.responder.Prekeys().ByID(third.ID()) != third {
			t.Error("a day's sleep does not count")
		}
		fourth := m.responder.Prekeys().Current()
		m.Jumped(2 * connect.PrekeyLife)
		at(time.Second)
		if m.responder.Prekeys().ByID(fourth.ID()) != nil || m.responder.Prekeys().ByID(third.ID()) != nil {
			t.Error("asleep for two days, and the private half is still there")
		}
	})
	faults.Report(t, "S14", true, "an idle node: a new prekey after 24 h, the one before erased after 48 h; asleep for two days, both are erased on waking")
}

// Dates are stated, and looked at, by a clock that is known to be right only.
func TestClocksThatAreKnownToBeRight(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		m := w.a.m
		if got := m.self.Handshake(0, [32]byte{}).Now; !got.IsZero() {
			t.Errorf("the time by a clock that may be wrong is %v", got)
		}
		m.self.ClockSynced = func() bool { return true }
		if got := m.self.Handshake(0, [32]byte{}).Now; !got.Equal(time.Now()) {
			t.Errorf("the time is %v", got)
		}
	})
}

// SPEC 5.2: no resumption two hours after the last full handshake, at either end.
func TestNoResumptionTwoHoursAfterTheLastFullHandshake(t *testing.T) {
	for _, old := range []string{"initiator", "responder"} {
		inWorld(t, func(t *testing.T, w *world) {
			sa, sb := w.pair(Settings{})
			deaf(sb)
			s := sa
			if old == "responder" {
				s = sb
			}
			s.call(func(time.Time) error { s.loop.keys.Secrets.Age(2 * time.Hour); return nil })
			w.lose(sa, sb)
			if a := sa.Status(); a.Handshakes != 2 {
				t.Errorf("%s: %d full handshakes", old, a.Handshakes)
			}
		})
	}
	faults.Report(t, "S13", true, "a resumption two hours after the last full handshake: refused at either end, a full one follows on the same stream")
}
