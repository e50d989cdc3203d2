package handshake

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/wire"
)

var update = flag.Bool("update", false, "rewrite testdata from the straight-line generator")

// hexes is bytes that JSON shows as hex.
type hexes []byte

func (h hexes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// fullVector is one full handshake. All random bytes come from BLAKE3 in XOF
// mode over the names in Random, read in the order SPEC gives.
type fullVector struct {
	SeedI      hexes             `json:"seed_i"`
	SeedR      hexes             `json:"seed_r"`
	Random     map[string]string `json:"random"`
	Binding    hexes             `json:"binding"`
	ParamsI    oParams           `json:"params_i"`
	ParamsR    oParams           `json:"params_r"`
	PrekeyFrom uint64            `json:"prekey_not_before"`
	PrekeyTo   uint64            `json:"prekey_not_after"`
	oOut
}

func paramsOf(p wire.Params) oParams {
	var flags byte
	if p.AES {
		flags |= 1
	}
	if p.AcceptsPartial {
		flags |= 2
	}
	return oParams{hexes(p.RecordID[:]), flags, p.MTU, p.Epoch, p.Incarnation}
}

// oNodes are the two nodes of a world as the oracle sees them.
func oNodes(w *world) (i, r oNode) {
	node := func(name string, id *did.Identity) oNode {
		return newONode(w.t, seedOf(name), id.KeySet().Q, id.DID().Digest())
	}
	return node("a", w.a), node("b", w.b)
}

func (w *world) oracle(lacks string) oOut {
	i, r := oNodes(w)
	return oFull(w.t, i, r, w.binding.append(nil), paramsOf(w.pa), paramsOf(w.pb),
		uint64(prekeyFrom.Unix()), uint64(prekeyTo.Unix()), lacks)
}

func (w *world) fullVector() fullVector {
	return fullVector{SeedI: seedOf("a"), SeedR: seedOf("b"),
		Random:  map[string]string{"prekey": "prekey b", "initiator": "initiator", "responder": "responder"},
		Binding: w.binding.append(nil), ParamsI: paramsOf(w.pa), ParamsR: paramsOf(w.pb),
		PrekeyFrom: uint64(prekeyFrom.Unix()), PrekeyTo: uint64(prekeyTo.Unix()), oOut: w.oracle("")}
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

// same compares with a committed file, after writing it if asked to.
func same(t *testing.T, file string, made any) {
	t.Helper()
	text, err := json.MarshalIndent(made, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("the generator no longer makes %s", file)
	}
}

func TestFullVectors(t *testing.T) {
	var all []fullVector
	for _, w := range vectorWorlds(t) {
		all = append(all, w.fullVector())
	}
	same(t, "testdata/full.json", all)
	for n, w := range vectorWorlds(t) {
		sc, v := w.run(), all[n]
		for name, got := range map[string][]byte{"KEYS_REQ": sc.keysReq, "KEYS": sc.keys, "M1": sc.m1, "M2": sc.m2, "M3": sc.m3} {
			if want := v.find(name); !bytes.Equal(got, want) {
				t.Errorf("vector %d: %s differs from the generator's at byte %d", n, name, firstDifference(got, want))
			}
		}
		checkKeys(t, v.oOut, sc.atI)
		if refused := w.refuse(); !bytes.Equal(refused, v.find("REFUSED")) {
			t.Errorf("vector %d: REFUSED differs", n)
		}
	}
}

// refuse is the world's REFUSED(not configured).
func (w *world) refuse() []byte {
	w.t.Helper()
	i, r := w.initiator(w.known()), w.responder()
	m1, err := i.Start(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, _, err = r.Read(nil, m1); err != nil {
		w.t.Fatal(err)
	}
	out, err := r.Refuse(nil, RefusedNotConfigured)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// checkKeys compares an initiator's result with the generator's keys.
func checkKeys(t *testing.T, v oOut, r *Result) {
	t.Helper()
	for label, got := range map[string]Key{"data i2r": r.Send, "data r2i": r.Recv, "rekey": r.Rekey,
		"resume i2r": r.ResumeOut.Secret, "resume r2i": r.ResumeIn.Secret} {
		if got != v.key(label) || got.IsZero() {
			t.Errorf("%s differs from the generator's", label)
		}
	}
	out, in := v.key("resume id i2r"), v.key("resume id r2i")
	if r.ResumeOut.ID != ResumeID(out[:6]) || r.ResumeIn.ID != ResumeID(in[:6]) {
		t.Error("resumption ids differ from the generator's")
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// The schedule of the product stands where the generator's does after each
// message, not only in what it gives out.
func TestScheduleAtTheMessageBoundaries(t *testing.T) {
	w := newWorld(t)
	at := map[string]oStep{}
	for _, s := range w.oracle("").Steps {
		at[s.Step] = s
	}
	is := func(name string, s *schedule) {
		t.Helper()
		want := at[name]
		if want.H == nil || !bytes.Equal(s.h[:], want.H) || !bytes.Equal(s.ck[:], want.CK) || !bytes.Equal(s.root[:], want.Root) {
			t.Errorf("schedule differs after %q", name)
		}
	}
	i, r := w.initiator(w.known()), w.responder()
	m1, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	is("hash sealed M1 params", &i.s)
	if _, _, err := r.Read(nil, m1); err != nil {
		t.Fatal(err)
	}
	is("hash sealed M1 params", &r.s)
	if _, _, err := r.Accept(nil, w.pb); err != nil {
		t.Fatal(err)
	}
	is("hash sealed M2", &r.s)
}

// Each secret of the schedule is needed: whoever lacks one has other keys.
func TestEverySecretIsNeeded(t *testing.T) {
	w := newWorld(t)
	honest := w.oracle("")
	labels := []string{"es", "ks", "ep", "kp", "sp", "ee", "ke", "se", "ki"}
	for _, lacks := range labels {
		without := w.oracle(lacks)
		for _, label := range []string{"M2", "data i2r", "data r2i", "M3", "rekey", "resume i2r", "resume r2i"} {
			if without.key(label) == honest.key(label) {
				t.Errorf("key %q does not depend on %q", label, lacks)
			}
		}
		// What M1 seals hangs on what came before it.
		early := lacks == "es" || lacks == "ks" || lacks == "ep" || lacks == "kp"
		if (without.key("M1 key set") == honest.key("M1 key set")) == early {
			t.Errorf("the key of M1's key set and %q: dependence is wrong", lacks)
		}
		if (without.key("M1 params") == honest.key("M1 params")) == (early || lacks == "sp") {
			t.Errorf("the key of M1's parameters and %q: dependence is wrong", lacks)
		}
	}
}

func TestVectorFilesHoldWhatTheySay(t *testing.T) {
	text, err := os.ReadFile("testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []fullVector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		for _, m := range v.Messages {
			if sum := blake3.Sum256(m.Bytes); !bytes.Equal(sum[:], m.BLAKE3) {
				t.Errorf("hash of %s", m.Name)
			}
		}
	}
}
