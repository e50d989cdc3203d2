package network

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
)

// vectors is spec/vectors/network.json, which test/second makes.
type vectors struct {
	Seeds     map[string]string
	DIDs      map[string]string `json:"dids"`
	ID        string
	Documents []struct {
		Name, Text, Hash, Bundle string
		Signers                  []string
	}
	Refused []struct {
		Name, Code, Of string
		Edits          []struct {
			Line int
			With []string
		}
	}
	RefusedTexts []struct{ Code, Of, Old, New string } `json:"refused_texts"`
}

// What another implementation has written is read, signed to the same bytes, and refused for
// the same reasons.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("../spec/vectors/network.json")
	must(t, err)
	var v vectors
	must(t, json.Unmarshal(b, &v))
	byDID := make(map[string]*did.Identity)
	for name, seed := range v.Seeds {
		raw, err := hex.DecodeString(seed)
		must(t, err)
		id, err := did.NewIdentity(raw)
		must(t, err)
		if byDID[id.DID().String()] = id; id.DID().String() != v.DIDs[name] {
			t.Fatalf("%s is another DID", name)
		}
	}
	bundles, texts := make(map[string]string), make(map[string]string)
	id, _ := ParseHash(v.ID)
	s := New(id)
	for _, d := range v.Documents {
		bundles[d.Name], texts[d.Name] = d.Bundle, d.Text
		var by []*did.Identity
		for _, n := range d.Signers {
			by = append(by, byDID[n])
		}
		if string(Sign(d.Text, by...).Append(nil)) != d.Bundle {
			t.Errorf("%s is signed otherwise", d.Name)
		}
		doc, err := parseText(d.Text)
		if err != nil || doc.String() != d.Text || TextHash(d.Text).String() != d.Hash {
			t.Errorf("%s: %v", d.Name, err)
		}
		if _, err := s.Take([]byte(d.Bundle), epoch); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	if m, ok := s.taken.Named("nas"); !ok || m.Addrs[0].String() != "10.9.0.2" || s.taken.Len() != 1 || s.taken.Head().Name != "home" || !s.taken.IsHub(m.DID) {
		t.Errorf("%d members", s.taken.Len())
	}
	for _, r := range v.Refused {
		lines := strings.Split(bundles[r.Of], "\n")
		for _, e := range r.Edits {
			lines = slices.Replace(lines, e.Line, e.Line+1, e.With...)
		}
		if _, err := Parse([]byte(strings.Join(lines, "\n"))); string(CodeOf(err)) != r.Code {
			t.Errorf("%s: %v, want %s", r.Name, err, r.Code)
		}
	}
	for _, r := range v.RefusedTexts {
		text := strings.Replace(texts[r.Of], r.Old, r.New, 1)
		if _, err := parseText(text); string(CodeOf(err)) != r.Code || text == texts[r.Of] {
			t.Errorf("%q for %q: %v, want %s", r.New, r.Old, err, r.Code)
		}
	}
}
