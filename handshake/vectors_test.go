package handshake

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The vectors are made by test/second, which was written from SPEC.md and
// shares nothing with this package (go test ./test/second -update). Here
// the product is held against the files.

// hexes is bytes that JSON shows as hex.
type hexes []byte

func (h *hexes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// A vector is what a handshake of the worlds in helpers_test.go must give.
type vector struct {
	Messages []struct {
		Name  string
		Bytes hexes
	}
	Steps []vectorStep
	Keys  []struct {
		Label string
		Key   hexes
	}
}

// vectorStep is the state of the key schedule after one step.
type vectorStep struct {
	Step        string
	H, CK, Root hexes
}

func vectors(t testing.TB, file string) (all []vector) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "spec", "vectors", "handshake-"+file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (v vector) message(name string) []byte {
	for _, m := range v.Messages {
		if m.Name == name {
			return m.Bytes
		}
	}
	return nil
}

func (v vector) key(label string) (k Key) {
	for _, named := range v.Keys {
		if named.Label == label {
			copy(k[:], named.Key)
		}
	}
	return k
}

// after fails the test unless the schedule stands where the vector's does.
func (v vector) after(t *testing.T, step string, s *schedule) {
	t.Helper()
	for _, want := range v.Steps {
		if want.Step == step {
			if !bytes.Equal(s.h[:], want.H) || !bytes.Equal(s.ck[:], want.CK) || !bytes.Equal(s.root[:], want.Root) {
				t.Errorf("the schedule differs after %q", step)
			}
			return
		}
	}
	t.Errorf("no step %q in the vector", step)
}

// messages compares each with the vector's of that name.
func (v vector) messages(t *testing.T, got map[string][]byte) {
	t.Helper()
	for name, b := range got {
		if want := v.message(name); !bytes.Equal(b, want) {
			t.Errorf("%s differs from the vector at byte %d", name, firstDifference(b, want))
		}
	}
}

// keys compares an initiator's result with the vector's keys.
func (v vector) keys(t *testing.T, r *Result) {
	t.Helper()
	for label, got := range map[string]Key{"data i2r": r.Send, "data r2i": r.Recv, "rekey": r.Rekey,
		"resume i2r": r.ResumeOut.Secret, "resume r2i": r.ResumeIn.Secret} {
		if got != v.key(label) || got.IsZero() {
			t.Errorf("%s differs from the vector", label)
		}
	}
	out, in := v.key("resume id i2r"), v.key("resume id r2i")
	if r.ResumeOut.ID != ResumeID(out[:6]) || r.ResumeIn.ID != ResumeID(in[:6]) {
		t.Error("resumption ids differ from the vector")
	}
}

// vectorWorlds: over QUIC with AES on both sides, and over TCP with one side
// without AES.
func vectorWorlds(t *testing.T) []*world {
	second := newWorld(t)
	second.binding = Binding{}
	second.pa.AES, second.pa.AcceptsPartial = false, false
	second.pb.Epoch, second.pa.MTU = 1, 1280
	return []*world{newWorld(t), second}
}

func TestFullVectors(t *testing.T) {
	for n, v := range vectors(t, "full.json") {
		w := vectorWorlds(t)[n]
		sc := w.run()
		v.messages(t, map[string][]byte{"KEYS_REQ": sc.keysReq, "KEYS": sc.keys, "M1": sc.m1, "M2": sc.m2, "M3": sc.m3,
			"REFUSED": w.refuse()})
		v.keys(t, sc.atI)
	}
}

// refuse is the world's REFUSED(not configured).
func (w *world) refuse() []byte {
	w.t.Helper()
	_, r, m1 := w.asked()
	if _, _, err := r.Read(nil, m1); err != nil {
		w.t.Fatal(err)
	}
	out, err := r.Refuse(nil, RefusedNotConfigured)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// asked is both ends and M1 after a first contact, as the vectors have it.
func (w *world) asked() (*Initiator, *Responder, []byte) {
	w.t.Helper()
	i, r := w.initiator(nil), w.responder()
	req, err := i.Start(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	keys, _, err := r.Read(nil, req)
	if err != nil {
		w.t.Fatal(err)
	}
	m1, _, err := i.Read(nil, keys)
	if err != nil {
		w.t.Fatal(err)
	}
	return i, r, m1
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// The schedule of the product stands where the vector's does after each
// message, not only in what it gives out.
func TestScheduleAtTheMessageBoundaries(t *testing.T) {
	w, v := newWorld(t), vectors(t, "full.json")[0]
	i, r, m1 := w.asked()
	v.after(t, "hash sealed M1 params", &i.s)
	if _, _, err := r.Read(nil, m1); err != nil {
		t.Fatal(err)
	}
	v.after(t, "hash sealed M1 params", &r.s)
	if _, _, err := r.Accept(nil, w.pb); err != nil {
		t.Fatal(err)
	}
	v.after(t, "hash sealed M2", &r.s)
}

func TestShortVectors(t *testing.T) {
	for n, v := range vectors(t, "short.json") {
		w := []shortWorld{rotationWorld(t), resumptionWorld(t)}[n]
		i, r, m1r, m2r := w.accepted()
		v.after(t, "hash sealed M2r", &r.s)
		m3r, atI, err := i.Read(nil, m2r)
		if err != nil {
			t.Fatal(err)
		}
		v.messages(t, map[string][]byte{"M1r": m1r, "M2r": m2r, "M3r": m3r})
		v.keys(t, atI)
	}
}
