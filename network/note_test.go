package network

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Whoever signs does so twice, and what Parse takes is what Append writes.
func TestBundleRoundTrip(t *testing.T) {
	h := home(2, "ada", "bob")
	b := signed(h, "bob", "ada")
	n, err := Parse(b)
	must(t, err)
	if n.Text != h.String() || len(n.Signers) != 2 || !n.SignedBy(didOf("ada")) || !n.SignedBy(didOf("bob")) || n.SignedBy(didOf("eve")) {
		t.Fatalf("%+v", n)
	}
	if !bytes.Equal(n.Append(nil), b) {
		t.Error("it is written otherwise")
	}
	one, _ := Parse(signed(h, "ada"))
	two, _ := Parse(signed(h, "bob"))
	if !two.Merge(one) || !bytes.Equal(two.Append(nil), b) {
		t.Error("signatures of two machines do not join")
	}
	if one.Merge(Sign("other\n", who("eve"))) {
		t.Error("bundles of two texts were joined")
	}
}

// The note is C2SP's: x/mod reads it and finds the Ed25519 signatures of its own key type.
func TestNoteIsOfC2SP(t *testing.T) {
	n := Sign(home(1, "ada", "bob").String(), who("ada"), who("bob"))
	var known []note.Verifier
	for _, s := range n.Signers {
		key, err := note.NewEd25519VerifierKey(s.DID.String(), s.Keys.S[:])
		must(t, err)
		v, err := note.NewVerifier(key)
		must(t, err)
		known = append(known, v)
	}
	got, err := note.Open(n.AppendNote(nil), note.VerifierList(known...))
	must(t, err)
	if got.Text != n.Text || len(got.Sigs) != 2 || len(got.UnverifiedSigs) != 2 {
		t.Errorf("%d verified, %d not", len(got.Sigs), len(got.UnverifiedSigs))
	}
	// One good line alone is enough for x/mod. Here it is not.
	m := loosen(n.Append(nil))
	m.sigs, m.keys = m.sigs[:1], m.keys[:1]
	alone, _, _ := strings.Cut(string(m.bytes()), "\n\nkey")
	if _, err := note.Open([]byte(alone+"\n"), note.VerifierList(known...)); err != nil {
		t.Error("x/mod counts no single line any more: ", err)
	}
	_, err = Parse(m.bytes())
	wantCode(t, err, SignatureMissing)
}

// A malleable is a bundle of which tests change a part.
type malleable struct{ text, sigs, keys []string }

func loosen(b []byte) malleable {
	parts := strings.SplitN(string(b), "\n\n", 3)
	return malleable{strings.Split(parts[0], "\n"), strings.Split(parts[1], "\n"), strings.Split(strings.TrimSuffix(parts[2], "\n"), "\n")}
}

func (m malleable) bytes() []byte {
	return []byte(strings.Join(m.text, "\n") + "\n\n" + strings.Join(m.sigs, "\n") + "\n\n" + strings.Join(m.keys, "\n") + "\n")
}

// resign changes the bytes of a signature line.
func resign(line string, f func(raw []byte) []byte) string {
	at := strings.LastIndexByte(line, ' ') + 1
	raw, err := base64.StdEncoding.DecodeString(line[at:])
	if err != nil {
		panic(err)
	}
	return line[:at] + base64.StdEncoding.EncodeToString(f(raw))
}

// addOrder is the Ed25519 signature with the group's order added to s: the classical
// malleated one.
func addOrder(raw []byte) []byte {
	l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
	s := slices.Clone(raw[36:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), l).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(slices.Clone(raw[:36]), sum...)
}

// What is refused of a bundle, each with its code: SPEC R-10.1-1 (sizes and bytes), R-10.1-2
// (both signatures), R-10.1-3 (types and forms), R-10.1-4 (keys).
func TestBundlesThatAreRefused(t *testing.T) {
	good := signed(home(1, "ada", "bob"), "ada", "bob")
	flip := func(at int) func([]byte) []byte {
		return func(raw []byte) []byte { raw[at] ^= 1; return raw }
	}
	hashOf := func(kind byte, label string, key []byte) func([]byte) []byte {
		name := strings.Fields(loosen(good).sigs[0])[1]
		return func(raw []byte) []byte {
			h := keyHash(name, kind, label, key)
			return append(h[:], raw[4:]...)
		}
	}
	for name, c := range map[string]struct {
		code   Code
		change func(m *malleable)
	}{
		"altered text":           {SignatureInvalid, func(m *malleable) { m.text[1] = "name hone" }},
		"altered Ed25519":        {SignatureInvalid, func(m *malleable) { m.sigs[0] = resign(m.sigs[0], flip(40)) }},
		"altered ML-DSA-65":      {SignatureInvalid, func(m *malleable) { m.sigs[1] = resign(m.sigs[1], flip(2000)) }},
		"malleated Ed25519":      {SignatureInvalid, func(m *malleable) { m.sigs[0] = resign(m.sigs[0], addOrder) }},
		"malleated hint":         {SignatureInvalid, func(m *malleable) { m.sigs[1] = resign(m.sigs[1], flip(4+3309-1)) }},
		"Ed25519 too long":       {SignatureForm, func(m *malleable) { m.sigs[0] = resign(m.sigs[0], func(b []byte) []byte { return append(b, 0) }) }},
		"no padding":             {SignatureForm, func(m *malleable) { m.sigs[0] = strings.TrimRight(m.sigs[0], "=") }},
		"bits behind the end":    {SignatureForm, func(m *malleable) { m.sigs[0] = strings.TrimSuffix(m.sigs[0], "=")[:len(m.sigs[0])-2] + "/=" }},
		"two spaces":             {SignatureForm, func(m *malleable) { m.sigs[0] = strings.Replace(m.sigs[0], " did", "  did", 1) }},
		"a signer of no DID":     {SignatureForm, func(m *malleable) { m.sigs[0] = strings.Replace(m.sigs[0], "did:morpheus:z", "ada", 1) }},
		"only Ed25519":           {SignatureMissing, func(m *malleable) { m.sigs = slices.Delete(m.sigs, 1, 2) }},
		"only ML-DSA-65":         {SignatureMissing, func(m *malleable) { m.sigs = slices.Delete(m.sigs, 0, 1) }},
		"a line twice":           {SignatureDuplicate, func(m *malleable) { m.sigs = slices.Insert(m.sigs, 1, m.sigs[0]) }},
		"another order":          {SignatureOrder, func(m *malleable) { m.sigs[0], m.sigs[1] = m.sigs[1], m.sigs[0] }},
		"signers in other order": {SignatureOrder, func(m *malleable) { m.sigs = append(m.sigs[2:], m.sigs[:2]...) }},
		"unknown type": {UnknownKeyType, func(m *malleable) {
			m.sigs[0] = resign(m.sigs[0], hashOf(0x02, "", who("ada").KeySet().S[:]))
		}},
		"unknown label": {UnknownKeyType, func(m *malleable) {
			m.sigs[1] = resign(m.sigs[1], hashOf(typeOther, wire.LabelNoteMLDSA+"x", who("ada").MLDSAKey()))
		}},
		"another's key":  {UnknownKeyType, func(m *malleable) { m.sigs[0] = resign(m.sigs[0], flip(0)) }},
		"keys missing":   {KeysMissing, func(m *malleable) { m.keys = m.keys[:1] }},
		"keys unused":    {KeysUnused, func(m *malleable) { m.sigs = m.sigs[:2] }},
		"keys twice":     {SignatureOrder, func(m *malleable) { m.keys = append(m.keys[:1], m.keys...) }},
		"keys of a form": {KeysForm, func(m *malleable) { m.keys[0] = m.keys[0][:len(m.keys[0])-4] }},
		"another ML-DSA": {KeysNotOfSigner, func(m *malleable) { m.keys[0] = resign(m.keys[0], flip(1280+100)) }},
		"another Ed25519": {KeysMissing, func(m *malleable) {
			m.sigs = m.sigs[:2]
			m.keys = []string{resign(m.keys[0], func(b []byte) []byte { copy(b, who("eve").KeySet().S[:]); return b })}
		}},
		"no signature":    {NoteForm, func(m *malleable) { m.sigs = []string{""} }},
		"a hyphen":        {NoteForm, func(m *malleable) { m.sigs[0] = strings.Replace(m.sigs[0], "—", "-", 1) }},
		"not ASCII":       {NotASCII, func(m *malleable) { m.text[1] = "name höme" }},
		"a tab":           {NotASCII, func(m *malleable) { m.text[1] = "name\thome" }},
		"carriage return": {NotASCII, func(m *malleable) { m.sigs[0] += "\r" }},
		"too many lines":  {TooManySignatures, func(m *malleable) { m.sigs = slices.Repeat(m.sigs[:2], 51) }},
		"too large":       {TooLarge, func(m *malleable) { m.text = slices.Repeat(m.text, 20000) }},
	} {
		m := loosen(good)
		c.change(&m)
		n, err := Parse(m.bytes())
		if CodeOf(err) != c.code || n != nil && err == nil {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	for _, s := range []string{"", "\n", "\n\n", "\n\n\n\n", "a\n\n", strings.TrimSuffix(string(good), "\n")} {
		if _, err := Parse([]byte(s)); CodeOf(err) != NoteForm {
			t.Errorf("%q: %v", s[:min(len(s), 20)], err)
		}
	}
}

// No change of one bit anywhere is taken as the same text by the same signers.
func TestEveryBitOfABundleCounts(t *testing.T) {
	good := signed(home(1, "ada"), "ada")
	step := 97
	if testing.Short() {
		step = 997
	}
	for at := 0; at < len(good); at += step {
		b := bytes.Clone(good)
		b[at] ^= 1 << (at % 7)
		if _, err := Parse(b); err == nil {
			t.Fatalf("byte %d was altered, and it was taken", at)
		}
	}
}

// Errors say a code, a line and a sentence, and are found again.
func TestRefusals(t *testing.T) {
	_, err := ParseHead("l2tun network v1\nname Home\n")
	if got := err.Error(); got != `network: syntax: line 2: "Home" has capital letters` {
		t.Error(got)
	}
	if CodeOf(nil) != "" || CodeOf(errors.New("x")) != "" {
		t.Error("codes of other errors")
	}
}
