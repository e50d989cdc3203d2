package handshake

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

func TestCallsOutOfOrder(t *testing.T) {
	w := newWorld(t)
	sc := w.run()
	unexpected := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, ErrUnexpected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err := w.initiator(nil).Read(nil, sc.keys)
	unexpected("Read before Start", err)
	i := w.initiator(nil)
	if _, err := i.Start(nil); err != nil {
		t.Fatal(err)
	}
	_, err = i.Start(nil)
	unexpected("Start twice", err)
	_, _, err = i.Read(nil, sc.keys)
	unexpected("Read after an error", err)

	_, _, err = w.responder().Accept(nil, w.pb)
	unexpected("Accept before M1", err)
	_, err = w.responder().Refuse(nil, RefusedBusy)
	unexpected("Refuse before M1", err)
	_, err = w.responder().Finish(sc.m3)
	unexpected("Finish before M1", err)
	_, r := w.claimed()
	_, err = r.Finish(sc.m3)
	unexpected("Finish before Accept", err)
	_, r = w.claimed()
	_, _, err = r.Read(nil, sc.m1)
	unexpected("a second M1", err)
	i, r, m2 := w.accepted()
	_, _, err = r.Accept(nil, w.pb)
	unexpected("Accept twice", err)
	if _, _, err = i.Read(nil, m2); err != nil {
		t.Fatal(err)
	}
	_, _, err = i.Read(nil, m2)
	unexpected("M2 twice", err)

	r = w.responder()
	if _, _, err := r.Read(nil, sc.keysReq); err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Read(nil, sc.keysReq)
	unexpected("KEYS_REQ twice", err)
}

func TestEachAnswerWithoutAProofIsTakenOnce(t *testing.T) {
	w := newWorld(t)
	sc := w.run()
	unknown := bare(wire.MsgUnknownPrekey, wire.ModeFull, wire.Ref{})
	i := w.initiator(nil)
	if _, err := i.Start(nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Read(nil, sc.keys); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Read(nil, unknown); !errors.Is(err, ErrDecrypt) {
		t.Errorf("UNKNOWN_PREKEY for a prekey just handed out: %v", err)
	}
	w.prekeys = store{prekey(t, w.b, "next")}
	r := w.responder()
	if _, _, err := r.Read(nil, sc.m1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Read(nil, sc.m1); !errors.Is(err, ErrUnexpected) {
		t.Errorf("a second M1 with an unknown prekey: %v", err)
	}
	faults.Report(t, "M4", true, "KEYS and UNKNOWN_PREKEY are taken once a stream")
}

func TestErrorsLeaveDstAlone(t *testing.T) {
	for _, rd := range newWorld(t).readers() {
		w := newWorld(t)
		memory := bytes.Repeat([]byte{0xaa}, 8192)
		i, r := w.claimed()
		out1, _, err1 := i.Read(memory[:10], flip(rd.msg, len(rd.msg)-1))
		out2, _, err2 := r.Read(memory[:10], rd.msg)
		if err1 == nil || err2 == nil || out1 != nil || out2 != nil || !bytes.Equal(memory, bytes.Repeat([]byte{0xaa}, 8192)) {
			t.Errorf("%s: %v, %v, or dst changed", rd.name, err1, err2)
		}
	}
	faults.Report(t, "H3", true, "the output buffer is untouched after errors")
}

// SPEC R-5.1-12.
func TestMachinesEraseThemselves(t *testing.T) {
	w := newWorld(t)
	i, r, m2 := w.accepted()
	pending := r.pending
	m3, _, err := i.Read(nil, m2)
	if err != nil || !i.s.isErased() || i.x != nil || i.kem != nil {
		t.Errorf("initiator after success: %v", err)
	}
	if _, err := r.Finish(m3); err != nil || !r.s.isErased() || r.pending != nil || !pending.Recv.IsZero() {
		t.Errorf("responder after success: %v", err)
	}
	i, r = w.claimed()
	i.Close()
	r.Close()
	if !i.s.isErased() || !r.s.isErased() || r.claim != nil {
		t.Error("Close leaves keys")
	}
	res := w.run().atI
	res.Erase()
	if !res.Send.IsZero() || !res.Recv.IsZero() || !res.Rekey.IsZero() || !res.ResumeIn.Secret.IsZero() || !res.ResumeOut.Secret.IsZero() {
		t.Error("Erase leaves secrets")
	}
}

// failing gives n bytes and then an error.
func failing(name string, n int) io.Reader {
	return io.MultiReader(io.LimitReader(stream(name), int64(n)), iotest.ErrReader(io.ErrClosedPipe))
}

func TestFailuresOfTheRandomSourceAreReturned(t *testing.T) {
	w := newWorld(t)
	const m1Draws, m2Draws, prekeyDraws = 8 + 32 + 64 + 32 + 32, 8 + 32 + 32 + 32, 4 + 32 + 64
	for n := range m1Draws + 1 {
		i, err := NewInitiator(Config{Identity: w.a, Binding: w.binding, Rand: failing("initiator", n)}, w.b.DID(), w.known(), w.pa)
		if err != nil {
			t.Fatal(err)
		}
		out, err := i.Start(nil)
		if (n < m1Draws) != errors.Is(err, io.ErrClosedPipe) || (err == nil) != (out != nil) || err != nil && !i.s.isErased() {
			t.Fatalf("M1 with %d random bytes: %v", n, err)
		}
	}
	for n := range m2Draws + 1 {
		_, r := w.claimed()
		r.conf.Rand = failing("responder", n)
		out, pending, err := r.Accept(nil, w.pb)
		if (n < m2Draws) != errors.Is(err, io.ErrClosedPipe) || (err == nil) != (out != nil && pending != nil) || err != nil && !r.s.isErased() {
			t.Fatalf("M2 with %d random bytes: %v", n, err)
		}
	}
	for n := range prekeyDraws + 1 {
		p, err := NewPrekey(w.b, prekeyFrom, prekeyTo, failing("prekey", n))
		if (n < prekeyDraws) != errors.Is(err, io.ErrClosedPipe) || (err == nil) != (p != nil) {
			t.Fatalf("prekey with %d random bytes: %v", n, err)
		}
	}
}

func TestAPrekeyIDIsNeverZero(t *testing.T) {
	w := newWorld(t)
	p, err := NewPrekey(w.b, prekeyFrom, prekeyTo, io.MultiReader(bytes.NewReader(make([]byte, 4)), stream("x")))
	if err != nil || p.ID() == 0 {
		t.Errorf("id %d, %v", p.ID(), err)
	}
}

func TestMisuseIsRefusedEarly(t *testing.T) {
	w := newWorld(t)
	for name, p := range map[string]wire.Params{"no id": {Epoch: 1}, "no epoch": {RecordID: w.pa.RecordID}, "empty": {}} {
		if _, err := NewInitiator(Config{Identity: w.a}, w.b.DID(), nil, p); err == nil {
			t.Errorf("NewInitiator: %s", name)
		}
		_, r := w.claimed()
		if _, _, err := r.Accept(nil, p); err == nil {
			t.Errorf("Accept: %s", name)
		}
	}
	if _, err := NewInitiator(Config{Identity: w.a}, identity(t, "c").DID(), w.known(), w.pa); err == nil {
		t.Error("cached keys of another node are taken")
	}
	i, err := NewInitiator(Config{Identity: w.a}, w.b.DID(), &PeerKeys{KeySet: w.b.KeySet()}, w.pa)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := i.Start(nil); err != nil || len(out) != wire.KeysReqSize {
		t.Errorf("a key set without a prekey: %d bytes, %v", len(out), err)
	}
}

// Nothing that a caller may print shows a secret.
func TestNothingPrintsSecrets(t *testing.T) {
	w := newWorld(t)
	i, r, m2 := w.accepted()
	_, res, err := w.initiator(w.known()).Read(nil, m2)
	if err == nil || res != nil {
		t.Fatal("a machine without Start read M2")
	}
	res = w.run().atI
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		fmt.Fprintf(&out, strings.Repeat(verb+"\n", 6), i, r, res, *res, res.Send, w.prekeys[0])
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "res", res, "key", res.Send)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "res", res, "key", res.Send)
	text, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	if !strings.Contains(out.String(), "[key]") {
		t.Error("a key does not print as [key]")
	}
	for _, k := range []Key{res.Send, res.Recv, res.Rekey, res.ResumeIn.Secret, res.ResumeOut.Secret, i.s.ck, r.s.root, r.pending.Send} {
		for _, form := range []string{hex.EncodeToString(k[:4]), fmt.Sprint(k[:4])[1:8], fmt.Sprintf("%#v", k[:4])[7:20]} {
			if strings.Contains(out.String(), form) {
				t.Errorf("a secret is printed as %s", form)
			}
		}
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := RefusedNotConfigured; r <= RefusedDuplicate; r++ {
		name := r.String()
		if seen[name] || strings.HasPrefix(name, "reason") || !strings.Contains((&RefusedError{r}).Error(), name) {
			t.Errorf("reason %d is %q", r, name)
		}
		seen[name] = true
	}
	if Refusal(99).String() != "reason 99" {
		t.Error("an unknown reason has no text")
	}
}

// A responder answers at most five rotations a second (SPEC 5.2): what that costs.
func TestAnsweringRotationsCostsLittle(t *testing.T) {
	w := rotationWorld(t)
	m1r, err := w.initiator().Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	const answers = 200
	start := time.Now()
	for range answers {
		r := w.responder()
		if _, _, err := r.Read(nil, m1r); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Accept(nil, w.pb); err != nil {
			t.Fatal(err)
		}
	}
	each := time.Since(start) / answers
	share := 5 * each.Seconds() * 100
	if share > 50 { // of a processor, on a machine with other work
		t.Errorf("five answers a second take %.1f %% of a processor", share)
	}
	faults.Report(t, "R12", share <= 5, "an answer takes %v: five a second are %.2f %% of a processor", each.Round(time.Microsecond), share)
}
