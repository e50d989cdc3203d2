package session

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
)

// lose ends the connection under a session at both ends and waits until it is
// back.
func (w *world) lose(s *Session, other *Session) time.Duration {
	w.t.Helper()
	s.call(func(time.Time) error { s.loop.paths.StreamConn().Close("lost"); return nil })
	start := time.Now()
	w.want(s, Degraded, time.Second)
	w.want(s, Established, 10*time.Second)
	w.want(other, Established, 10*time.Second)
	return time.Since(start)
}

// Scenario 1.2: a previous session: resumed within 100 ms at 20 ms round trip,
// with fresh keys and without a full handshake.
func TestScenario1_2_Resumption(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		for i := range uint64(3) {
			time.Sleep(time.Second)
			before := sa.Status().Epoch
			if took := w.lose(sa, sb); took > 100*time.Millisecond {
				t.Fatalf("resumed after %v", took)
			}
			a, b := sa.Status(), sb.Status()
			if a.Handshakes != 1 || b.Handshakes != 1 || a.Epoch <= before || a.Epoch != b.Epoch {
				t.Fatalf("resumption %d: %d and %d full handshakes, epochs %d and %d", i, a.Handshakes, b.Handshakes, a.Epoch, b.Epoch)
			}
		}
	})
}

// deaf makes s forget where its peer is, so that only the peer can dial.
func deaf(s *Session) {
	s.call(func(time.Time) error { s.loop.attempts.End(); return nil })
}

// alter changes what s will start a resumption with.
func alter(s *Session, change func(*handshake.Resume)) {
	s.call(func(now time.Time) error {
		out, peer := s.loop.keys.Secrets.Resumption(now)
		change(&out)
		s.loop.keys.Secrets.Take(peer, out)
		return nil
	})
}

// A spent or altered secret leads to a full handshake, on the same stream.
// SPEC R-5.1-15.
func TestSpentSecretLeadsToFull(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		alter(sa, func(out *handshake.Resume) { out.ID[0] ^= 1 })
		deaf(sb)
		if took := w.lose(sa, sb); took > 200*time.Millisecond || sa.Status().Handshakes != 2 {
			t.Fatalf("unknown id: %v, %d full handshakes", took, sa.Status().Handshakes)
		}
		alter(sa, func(out *handshake.Resume) { out.Secret[0] ^= 1 })
		deaf(sb)
		w.lose(sa, sb)
		if a, b := sa.Status(), sb.Status(); a.Handshakes != 3 || a.Epoch != b.Epoch {
			t.Fatalf("altered secret: %d full handshakes, epochs %d and %d", a.Handshakes, a.Epoch, b.Epoch)
		}
	})
}

// After CLOSE no secret is left to resume from. SPEC R-6.8-1.
func TestClosedSessionIsNotResumed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		if _, err := sa.Export(); err != nil {
			t.Fatal(err)
		}
		if err := w.b.m.Remove(w.a.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.want(sa, Idle, time.Second)
		if _, err := sa.Export(); err == nil {
			t.Fatal("a closed session still has a secret")
		}
	})
}

// Export and Resume: a later process takes the session up with a short handshake;
// what was exported serves once.
func TestResumeFromStoredBytes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{Heartbeat: time.Second})
		stored, err := sa.Export()
		if err != nil {
			t.Fatal(err)
		}
		for again := range 2 {
			w.a.crash()
			w.a.up()
			w.a.dir.Set(w.b.id.DID(), w.b.addr.String())
			if _, err := w.a.m.Add(Peer{DID: w.b.id.DID()}); err != nil {
				t.Fatal(err)
			}
			s, err := w.a.m.Resume(t.Context(), w.b.id.DID(), stored)
			if err != nil {
				t.Fatal(err)
			}
			w.want(sb, Established, time.Second)
			if got := s.Status().Handshakes; got != uint64(again) {
				t.Fatalf("use %d of the stored bytes: %d full handshakes", again+1, got)
			}
		}
	})
}

func TestStoredBytesAreChecked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		stored, err := sa.Export()
		if err != nil {
			t.Fatal(err)
		}
		c := w.host(3)
		if _, err := w.a.m.Add(Peer{DID: c.id.DID()}); err != nil {
			t.Fatal(err)
		}
		wrong := bytes.Clone(stored)
		wrong[0]++
		for what, err := range map[string]error{
			"of another peer": second(w.a.m.Resume(t.Context(), c.id.DID(), stored)),
			"cut short":       second(w.a.m.Resume(t.Context(), w.b.id.DID(), stored[:100])),
			"other version":   second(w.a.m.Resume(t.Context(), w.b.id.DID(), wrong)),
			"empty":           second(w.a.m.Resume(t.Context(), w.b.id.DID(), nil)),
		} {
			if !errors.Is(err, ErrStored) {
				t.Errorf("%s: %v", what, err)
			}
		}
		idle := w.b.peer(c, false, Settings{})
		if _, err := idle.Export(); !errors.Is(err, ErrNotEstablished) {
			t.Errorf("export of an idle session: %v", err)
		}
	})
}

func second(_ *Session, err error) error { return err }

// A stolen secret without the identity gives no session.
func TestStolenSecretGivesNoSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{Heartbeat: time.Second})
		stored, err := sa.Export()
		if err != nil {
			t.Fatal(err)
		}
		thief := w.host(7)
		thief.up()
		defer thief.down()
		thief.dir.Set(w.b.id.DID(), w.b.addr.String())
		s, err := thief.m.Add(Peer{DID: w.b.id.DID()})
		if err != nil {
			t.Fatal(err)
		}
		before := sb.Status()
		if _, err := thief.m.Resume(t.Context(), w.b.id.DID(), stored); !errors.Is(err, ErrFailed) {
			t.Fatalf("the thief: %v, state %v", err, s.State())
		}
		w.stays(sb, Established, 5*time.Second)
		if after := sb.Status(); after.Epoch != before.Epoch || after.Handshakes != before.Handshakes {
			t.Fatalf("the peer's session moved from epoch %d to %d", before.Epoch, after.Epoch)
		}
	})
}
