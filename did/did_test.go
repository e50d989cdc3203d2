package did

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/mr-tron/base58"
)

func testIdentity(t testing.TB, fill byte) *Identity {
	t.Helper()
	seed := make([]byte, SeedSize)
	for i := range seed {
		seed[i] = fill
	}
	id, err := NewIdentity(seed)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestParseTakesBackWhatStringWrites(t *testing.T) {
	for fill := range byte(4) {
		d := testIdentity(t, fill).DID()
		got, err := Parse(d.String())
		if err != nil || got != d {
			t.Errorf("Parse(%v) = %v, %v", d, got, err)
		}
		if n := len(d.String()); n != 60 && n != 61 {
			t.Errorf("%v has %d bytes", d, n)
		}
	}
}

// SPEC R-2.3-1.
func TestParseRefusesAndSaysWhy(t *testing.T) {
	good := testIdentity(t, 1).DID().String()
	b58 := strings.TrimPrefix(good, "did:morpheus:z")
	raw, err := base58.Decode(b58)
	if err != nil {
		t.Fatal(err)
	}
	otherHash := append([]byte{0x12, 0x20}, raw[2:]...)
	zero := append([]byte{0x1e, 0x20}, make([]byte, 32)...)
	for name, c := range map[string]struct{ in, reason string }{
		"empty":            {"", "begin with"},
		"another method":   {"did:key:z" + b58, "begin with"},
		"upper case":       {strings.ToUpper(good), "begin with"},
		"leading space":    {" " + good, "begin with"},
		"IOP form":         {"did:morpheus:ezbeWGSY2dqcUBqT8K7R14xr", "IOP Morpheus"},
		"no multibase":     {"did:morpheus:" + b58, "base58"},
		"trailing newline": {good + "\n", "base58"},
		"trailing space":   {good + " ", "base58"},
		"not base58":       {good[:len(good)-1] + "0", "base58"},
		"not ASCII":        {good[:len(good)-1] + "é", "base58"},
		"one short":        {good[:len(good)-1], "BLAKE3"},
		"one more":         {good + "1", "BLAKE3"},
		"fragment":         {good + "#s", "base58"},
		"much too long":    {good + strings.Repeat("1", 1<<16), "bytes long"},
		"leading ones":     {"did:morpheus:z1" + b58, "BLAKE3"},
		"SHA-256 hash":     {"did:morpheus:z" + base58.Encode(otherHash), "BLAKE3"},
		"zero digest":      {"did:morpheus:z" + base58.Encode(zero), "nobody"},
	} {
		d, err := Parse(c.in)
		if !errors.Is(err, ErrSyntax) || !strings.Contains(err.Error(), c.reason) || !d.IsZero() {
			t.Errorf("%s: Parse = %v, %v; want a reason with %q", name, d, err, c.reason)
		}
	}
}

func TestEveryChangedCharacterNamesAnotherOrNobody(t *testing.T) {
	d := testIdentity(t, 2).DID()
	good := []byte(d.String())
	for i := range good {
		for _, c := range []byte("1zA0 ") {
			if good[i] == c {
				continue
			}
			changed := append([]byte(nil), good...)
			changed[i] = c
			if got, err := Parse(string(changed)); err == nil && (got == d || got.String() != string(changed)) {
				t.Errorf("Parse(%s) = %v", changed, got)
			}
		}
	}
}

func TestZeroMeansNone(t *testing.T) {
	var d DID
	if !d.IsZero() || d.String() != "none" || d.Short() != "none" || d.Addr().IsValid() {
		t.Errorf("zero DID: %v %v %v", d, d.Short(), d.Addr())
	}
	if text, err := d.MarshalText(); err != nil || len(text) != 0 {
		t.Errorf("MarshalText = %q, %v", text, err)
	}
	if _, err := Parse(d.String()); err == nil {
		t.Error("the zero DID's text parses")
	}
}

func TestShortCompareAddr(t *testing.T) {
	d := FromDigest([32]byte{1})
	e := FromDigest([32]byte{1, 0, 5})
	if d.Compare(e) != -1 || e.Compare(d) != 1 || d.Compare(d) != 0 {
		t.Error("Compare is not the order of the digests")
	}
	if s := d.Short(); s != "…"+d.String()[len(d.String())-8:] {
		t.Errorf("Short = %q", s)
	}
	if a := e.Addr(); a.String() != "fd4c:3254:100:500::" || !OverlayPrefix().Contains(a) {
		t.Errorf("Addr = %v", a)
	}
	if OverlayPrefix().String() != "fd4c:3254::/32" {
		t.Errorf("OverlayPrefix = %v", OverlayPrefix())
	}
}

func TestTextRoundTripInJSON(t *testing.T) {
	type doc struct{ A, B DID }
	in := doc{A: testIdentity(t, 3).DID()}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out doc
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("%s gives %v, %v", text, out, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"did:morpheus:ezb"}`), &out); !errors.Is(err, ErrSyntax) || out != in {
		t.Errorf("bad text: %v, and the value became %v", err, out)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(testIdentity(f, 4).DID().String())
	f.Add("did:morpheus:ezbeWGSY2dqcUBqT8K7R14xr")
	f.Add("did:morpheus:z" + base58.Encode(new(big.Int).Lsh(big.NewInt(0x1e20), 256).Bytes()))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if (err != nil) != d.IsZero() {
			t.Fatalf("Parse(%q) = %v, %v", s, d, err)
		}
		if err == nil && d.String() != s {
			t.Fatalf("Parse(%q).String() = %q", s, d)
		}
	})
}
