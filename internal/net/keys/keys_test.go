package keys

import (
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// A rotation replaces the epoch at both ends, whoever asks; the old one is received
// for a while, and its resumption secrets are spent.
func TestARotationReplacesTheEpochAtBothEnds(t *testing.T) {
	w := newPair(t)
	w.establish()
	for i, e := range []*end{w.a, w.b} {
		before, _ := e.Secrets.Resumption(w.now)
		old, told := e.Store.InUse(), false
		e.RotateThen(func(rotated bool) { told = rotated }, w.now)
		if told || !e.rotating {
			t.Error("done before it began")
		}
		w.deliver()
		w.want(uint32(i + 2))
		if n, _ := e.Counts(); !told || e.rotating || n != uint64(i+1) {
			t.Errorf("told %v, still rotating %v, %d rotations", told, e.rotating, n)
		}
		after, peer := e.Secrets.Resumption(w.now)
		if _, _, ok := e.peer.Secrets.Find(before.ID, w.now); ok || e.peer.answers[before.ID] {
			t.Error("the peer still answers a spent secret")
		}
		if keys, secret, ok := e.peer.Secrets.Find(after.ID, w.now); !ok || secret != after.Secret || !e.peer.answers[after.ID] ||
			keys.DID() != e.id.DID() || peer.DID() != e.peer.id.DID() {
			t.Error("the new secret is not the peer's")
		}
		if !e.planes.Known(old.RecvID()) {
			t.Error("the old epoch is not received any more")
		}
		w.pass(rotation.Grace + time.Second)
		if e.planes.Known(old.RecvID()) || e.Epochs() != 1 || e.peer.Epochs() != 1 {
			t.Errorf("old epochs are still received: %d and %d", e.Epochs(), e.peer.Epochs())
		}
		if err := old.Seal(new(wire.Batch), wire.SpaceControl, [][]byte{{1}}); err == nil {
			t.Error("the old epoch still seals")
		}
	}
}

// Whichever one record of a rotation is lost, the same bytes again or a record under
// the new epoch bring it to its end.
func TestALostMessageOfARotationIsMadeUpFor(t *testing.T) {
	for lost := range 8 {
		w := newPair(t)
		w.establish()
		of, n := w.a, lost
		if lost >= 4 {
			of, n = w.b, lost-4
		}
		first := of.records + n + 1
		of.lose = func(rec int) bool { return rec == first }
		w.a.Rotate(w.now)
		w.deliver()
		w.pass(5 * time.Second)
		w.want(2)
	}
}

// A record under the new epoch proves the initiator where its M3r is lost, and the
// responder has the same secrets as with it.
func TestARecordStandsForALostM3r(t *testing.T) {
	w := newPair(t)
	w.establish()
	w.a.Rotate(w.now)
	w.b.arrive()
	w.a.arrive()
	w.a.sent = nil // M3r
	w.a.Confirm(w.now)
	w.deliver()
	w.want(2)
	if _, again := w.a.Counts(); again != 0 {
		t.Errorf("%d messages were sent again", again)
	}
}

// While nothing arrives the epoch stays in use, messages are sent again, and what
// comes of it later is one rotation.
func TestARotationOutlastsASilentPath(t *testing.T) {
	w := newPair(t)
	w.establish()
	all := func(int) bool { return true }
	w.a.lose, w.b.lose = all, all
	w.a.Rotate(w.now)
	w.pass(10 * time.Second)
	w.want(1)
	if _, again := w.a.Counts(); again == 0 {
		t.Error("nothing was sent again")
	}
	w.a.lose, w.b.lose = nil, nil
	w.pass(10 * time.Second)
	w.want(2)
}

// What fails at either end is the next event: the epoch in use stays, and a later
// attempt succeeds.
func TestAFailedRotationIsTriedAgain(t *testing.T) {
	for _, initiator := range []bool{true, false} {
		w := newPair(t)
		w.establish()
		of := w.b
		if initiator {
			of = w.a
		}
		of.refuse = errors.New("no randomness")
		w.a.Rotate(w.now)
		w.pass(2 * time.Second)
		w.want(1)
		if of.Epochs() != 1 || len(of.shorts) != 0 {
			t.Errorf("initiator %v: %d epochs, %d short handshakes are left", initiator, of.Epochs(), len(of.shorts))
		}
		of.refuse = nil
		w.pass(15 * time.Second)
		if n := w.a.Number(); n < 2 || n != w.b.Number() {
			t.Errorf("initiator %v: epochs %d and %d", initiator, n, w.b.Number())
		}
	}
}

// A message that comes again changes nothing.
func TestCopiesOfMessagesChangeNothing(t *testing.T) {
	w := newPair(t)
	w.establish()
	w.a.Rotate(w.now)
	for range 3 { // M1r, and the M2r that answers it, which does not arrive yet
		w.b.arrive()
		w.now = w.now.Add(6 * time.Second)
		w.a.Tick(w.now)
	}
	if _, again := w.a.Counts(); again < 2 || len(w.b.sent) < 2 {
		t.Fatalf("%d messages sent again, %d records answer", again, len(w.b.sent))
	}
	w.deliver()
	w.want(2)
	w.pass(5 * time.Second)
	w.want(2)
	if n, _ := w.a.Counts(); n != 1 || w.a.rotating || w.b.rotating {
		t.Errorf("%d rotations", n)
	}
}

// An M2r that does not open ends the attempt, and a later one succeeds.
func TestAnAlteredAnswerEndsTheAttempt(t *testing.T) {
	w := newPair(t)
	w.establish()
	w.a.alter = func(frame []byte) { frame[len(frame)-1] ^= 1 }
	w.a.Rotate(w.now)
	w.deliver()
	if w.a.Number() != 1 || w.a.rotating || len(w.a.shorts) != 0 || w.a.Epochs() != 1 {
		t.Errorf("epoch %d, still rotating %v, %d short handshakes, %d epochs", w.a.Number(), w.a.rotating, len(w.a.shorts), w.a.Epochs())
	}
	w.a.alter = nil
	w.pass(time.Minute)
	if n := w.a.Number(); n < 2 {
		t.Errorf("epoch %d", n)
	}
	w.want(w.a.Number())
}

// Two rotations that cross make one epoch.
func TestCrossingRotationsMakeOneEpoch(t *testing.T) {
	w := newPair(t)
	w.establish()
	w.a.Rotate(w.now)
	w.b.Rotate(w.now)
	w.deliver()
	w.pass(5 * time.Second)
	w.want(2)
}

// After Drop nothing is left: who waits is told, keys are erased, and what comes
// late is refused.
func TestDropLeavesNothing(t *testing.T) {
	w := newPair(t)
	w.establish()
	rec, told := w.a.Store.InUse(), 0
	w.a.RotateThen(func(rotated bool) {
		if !rotated {
			told++
		}
	}, w.now)
	w.a.sent = nil
	w.a.Drop(w.now)
	if told != 1 || w.a.Epochs() != 0 || len(w.a.shorts) != 0 || w.a.Store.InUse() != nil || w.a.Number() != 0 || w.a.MTU() != 0 || !w.a.Deadline().IsZero() {
		t.Errorf("told %d, %d epochs, %d short handshakes, deadline %v", told, w.a.Epochs(), len(w.a.shorts), w.a.Deadline())
	}
	if err := rec.Seal(new(wire.Batch), wire.SpaceControl, [][]byte{{1}}); err == nil {
		t.Error("a dropped epoch still seals")
	}
	if err := w.a.Receive(rec, make([]byte, 16), w.a, w.now); !errors.Is(err, handshake.ErrMalformed) {
		t.Errorf("a late message: %v", err)
	}
	w.a.RotateThen(func(rotated bool) {
		if !rotated {
			told++
		}
	}, w.now)
	if told != 2 {
		t.Error("a rotation without an epoch is not refused")
	}
}

// Keys that outlive their time are dropped with the reason. An expired session has no
// resumption left.
func TestKeysEndAtTheirTime(t *testing.T) {
	w := newPair(t)
	w.establish()
	all := func(int) bool { return true }
	w.a.lose, w.b.lose = all, all
	w.a.Rotate(w.now)
	w.pass(2*time.Minute + rotation.Overdue + time.Second)
	out, _ := w.a.Secrets.Resumption(w.now)
	if len(w.a.stopped) != 1 || w.a.stopped[0] != rotation.KeyRotationTimeout || w.a.Epochs() != 0 || out.Secret.IsZero() {
		t.Errorf("%v, %d epochs, a secret is left: %v", w.a.stopped, w.a.Epochs(), !out.Secret.IsZero())
	}
	w = newPair(t)
	w.establish()
	w.a.Expire(w.now)
	out, _ = w.a.Secrets.Resumption(w.now)
	if len(w.a.stopped) != 1 || w.a.stopped[0] != rotation.SessionExpired || w.a.Epochs() != 0 || !out.Secret.IsZero() {
		t.Errorf("%v, %d epochs, a secret is left: %v", w.a.stopped, w.a.Epochs(), !out.Secret.IsZero())
	}
	for id, on := range w.a.answers {
		if on {
			t.Errorf("resumptions %x are still answered", id)
		}
	}
}

// The initiator of a handshake whose M3 is lost answers the peer by the secret that it
// has, until a record shows that it has the new one, and not longer.
func TestAPeerWithoutM3ResumesByItsOwnSecret(t *testing.T) {
	w := newPair(t)
	w.establish()
	old, _ := w.b.Secrets.Resumption(w.now)
	atA, pending, finish := w.shake()
	id, err1 := w.b.Hold(pending)
	err2 := w.a.prove(&Proof{Proof: connect.Proof{Result: atA}, Role: rotation.Initiator})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if _, secret, ok := w.a.Secrets.Find(old.ID, w.now); !ok || secret != old.Secret || !w.a.answers[old.ID] {
		t.Error("the peer, which has no M3, cannot resume")
	}
	if err := w.b.prove(&Proof{Proof: connect.Proof{Result: finish()}, Role: rotation.Responder, ID: id}); err != nil {
		t.Fatal(err)
	}
	if w.a.Store.Opened(w.a.Store.InUse(), w.now); w.a.answers[old.ID] {
		t.Error("the old secret is answered although the peer has the new one")
	}
	if _, _, ok := w.a.Secrets.Find(old.ID, w.now); ok {
		t.Error("the old secret is kept although the peer has the new one")
	}
	w.want(w.a.Number())
}

// A handshake whose epoch is gone, or whose number is out of range, is not proven.
func TestWhatIsNotAdmitted(t *testing.T) {
	w := newPair(t)
	w.establish()
	atA, pending, finish := w.shake()
	id, err := w.b.Hold(pending)
	if err != nil {
		t.Fatal(err)
	}
	w.b.Retire(id)
	if err := w.b.prove(&Proof{Proof: connect.Proof{Result: finish()}, Role: rotation.Responder, ID: id}); !errors.Is(err, ErrGone) {
		t.Errorf("of a retired epoch: %v", err)
	}
	atA.Epoch = rotation.MaxNumber + 1
	if err := w.a.prove(&Proof{Proof: connect.Proof{Result: atA}, Role: rotation.Initiator}); !errors.Is(err, ErrNumber) {
		t.Errorf("of a number beyond the last: %v", err)
	}
	if _, err := w.b.NumberFor(rotation.MaxNumber + 1); !errors.Is(err, ErrNumber) {
		t.Errorf("a proposal beyond the last: %v", err)
	}
	if w.a.Epochs() != 1 || w.b.Epochs() != 1 {
		t.Errorf("%d and %d epochs", w.a.Epochs(), w.b.Epochs())
	}
}

// SPEC 5.2: a secret serves until the last full handshake is two hours old, whether
// time passed or the machine slept; a spent one never again.
func TestResumptionSecretsEnd(t *testing.T) {
	w := newPair(t)
	w.establish()
	out, peer := w.a.Secrets.Resumption(w.now)
	if _, _, ok := w.b.Secrets.Find(out.ID, w.now.Add(rotation.ShortLimit)); ok {
		t.Error("answered after two hours")
	}
	if late, _ := w.a.Secrets.Resumption(w.now.Add(rotation.ShortLimit)); !late.Secret.IsZero() {
		t.Error("used after two hours")
	}
	if w.b.Secrets.Age(rotation.ShortLimit); w.b.Secrets.Peer() == nil {
		t.Error("the peer's keys are forgotten")
	}
	if _, _, ok := w.b.Secrets.Find(out.ID, w.now); ok {
		t.Error("answered after two hours of sleep")
	}
	stored := w.a.Secrets.Export()
	w.a.Secrets.Spend(handshake.Resume{ID: out.ID}) // another one
	if w.a.Secrets.Export() == nil {
		t.Error("another secret was spent")
	}
	w.a.Secrets.Spend(out)
	if w.a.Secrets.Export() != nil {
		t.Error("a spent secret is exported")
	}
	set, got, err := ParseStored(stored, peer.DID())
	if err != nil || got != out || set.DID() != peer.DID() {
		t.Errorf("what was exported is read as %v, %v", got.ID, err)
	}
	for _, bad := range [][]byte{nil, stored[1:], append([]byte{storedVersion + 1}, stored[1:]...)} {
		if _, _, err := ParseStored(bad, peer.DID()); err == nil {
			t.Errorf("%d bytes are read", len(bad))
		}
	}
	if _, _, err := ParseStored(stored, w.a.id.DID()); err == nil {
		t.Error("read as those of another peer")
	}
	w.a.Secrets.Take(set, got)
	if again, _ := w.a.Secrets.Resumption(w.now); again != out {
		t.Error("a stored secret is not taken")
	}
}
