package second

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
)

// networkVectors is spec/vectors/network.json.
type networkVectors struct {
	Seeds     map[string]hexBytes `json:"seeds"`
	DIDs      map[string]string   `json:"dids"`
	ID        hexBytes            `json:"id"`
	Documents []networkDocument   `json:"documents"`
	Refused   []networkRefused    `json:"refused"`
	Texts     []networkText       `json:"refused_texts"`
}

type networkDocument struct {
	Name    string   `json:"name"`
	Text    string   `json:"text"`
	Hash    hexBytes `json:"hash"`
	Signers []string `json:"signers"`
	Bundle  string   `json:"bundle"`
}

// A networkRefused is a document of which lines are replaced, from the last to the first.
type networkRefused struct {
	Name  string     `json:"name"`
	Code  string     `json:"code"`
	Of    string     `json:"of"`
	Edits []lineEdit `json:"edits"`
}

type lineEdit struct {
	Line int      `json:"line"` // from 0
	With []string `json:"with"`
}

type networkText struct {
	Code string `json:"code"`
	Of   string `json:"of"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

func (r networkRefused) apply(b string) string {
	lines := strings.Split(b, "\n")
	for _, e := range r.Edits {
		lines = slices.Replace(lines, e.Line, e.Line+1, e.With...)
	}
	return strings.Join(lines, "\n")
}

const networkFile = "../../spec/vectors/network.json"

// makeNetwork makes the vectors anew.
func makeNetwork() (v networkVectors) {
	a, seedA := seeded("identity a")
	b, seedB := seeded("identity b")
	didA, didB := didText(a.set.digest()), didText(b.set.digest())
	v.Seeds = map[string]hexBytes{"a": seedA, "b": seedB}
	v.DIDs = map[string]string{"a": didA, "b": didB}
	admins := []string{didA, didB}
	slices.Sort(admins)
	add := func(name, text string, by ...*node) {
		v.Documents = append(v.Documents, networkDocument{Name: name, Text: text, Hash: textHash(text), Bundle: bundle(text, by...), Signers: nil})
		d := &v.Documents[len(v.Documents)-1]
		_, d.Signers, _ = readBundle(d.Bundle)
	}
	one := "l2tun network v1\nname home\nserial 1\nissued 2026-12-01T10:00:00Z\nthreshold 1\nadmin " + admins[0] + "\nadmin " + admins[1] +
		"\nissuer " + didA + " phone,server 10.9.0.0/24 routes\n"
	v.ID = networkID(one)
	id := hex.EncodeToString(v.ID)
	add("head 1", one, a, b)
	add("head 2", "l2tun network v1\nname home\nserial 2\nnetwork "+id+"\nprevious "+hex.EncodeToString(textHash(one))+"\nissued 2026-12-01T11:00:00Z\nthreshold 1\nadmin "+admins[0]+"\nadmin "+admins[1]+
		"\nissuer "+didA+" * 10.9.0.0/24 routes\nissuer "+didB+" phone fd00:9::/64 -\nhub "+didB+"\ndirectory "+didB+
		"\ngrant all -> all icmp\ngrant group:phone -> nas tcp:22,udp:6000-6010\ngrant all -> exit *\nremoved "+didText(hash([]byte("gone")))+
		" -\nrestored "+didText(hash([]byte("back")))+" 2026-12-01T10:30:00Z\n", a, b)
	members := []string{didB + " nas 10.9.0.2 192.168.1.0/24 server 2027-12-01T10:00:00Z", didText(hash([]byte("phone"))) + " phone - - - -"}
	slices.Sort(members)
	add("roster", "l2tun roster v1\nnetwork "+id+"\nissuer "+didA+"\nserial 7\nissued 2026-12-01T12:00:00Z\nmember "+members[0]+"\nmember "+members[1]+"\n", a)
	add("removals", "l2tun removals v1\nnetwork "+id+"\nby "+didB+"\nissued 2026-12-01T13:00:00Z\nremove "+didText(hash([]byte("phone")))+" 2026-12-01T13:00:00Z -\n", b)
	v.Refused = refusedNetwork(v.Documents[0].Bundle)
	for _, t := range [][4]string{
		{"syntax", "head 1", "serial 1", "serial 01"}, {"syntax", "head 1", "name home", "name Home"}, {"bad_threshold", "head 1", "threshold 1", "threshold 3"},
		{"bad_prefix", "head 2", "fd00:9::/64", "fd4c:3254::/64"}, {"bad_prefix", "head 2", "fd00:9::/64", "10.0.0.0/8"}, {"not_canonical", "head 1", "phone,server", "server,phone"},
		{"not_canonical", "head 2", "tcp:22,", "tcp:22-22,"}, {"duplicate", "head 2", "removed " + didText(hash([]byte("gone"))), "removed " + admins[0]},
		{"succession_loop", "head 2", "\nremoved", "\nsucceed " + didText(hash([]byte("x"))) + " " + didText(hash([]byte("x"))) + "\nremoved"},
		{"succession_conflict", "head 2", "\nremoved", "\nsucceed " + didB + " " + didText(hash([]byte("x"))) + "\nremoved"},
		{"duplicate", "roster", " phone ", " nas "}, {"syntax", "roster", " phone ", " exit "}, {"syntax", "removals", "13:00:00Z -", "13:00:00Z"},
	} {
		v.Texts = append(v.Texts, networkText{t[0], t[1], t[2], t[3]})
	}
	return v
}

// refusedNetwork are changes of a bundle of two signers.
func refusedNetwork(b string) []networkRefused {
	lines := strings.Split(b, "\n")
	first := slices.Index(lines, "") + 1 // of four signatures, an empty line, two keys
	keys := first + 5
	raw := func(line int, f func([]byte) []byte) []string {
		at := strings.LastIndexByte(lines[line], ' ') + 1
		return []string{lines[line][:at] + base64.StdEncoding.EncodeToString(f(must(base64.StdEncoding.DecodeString(lines[line][at:]))))}
	}
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 1; return b } }
	order := func(b []byte) []byte {
		l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		s := slices.Clone(b[36:68])
		slices.Reverse(s)
		s = new(big.Int).Add(new(big.Int).SetBytes(s), l).FillBytes(make([]byte, 32))
		slices.Reverse(s)
		return join(b[:36], s)
	}
	return []networkRefused{
		{"altered text", "signature_invalid", "head 1", []lineEdit{{1, []string{"name hone"}}}},
		{"only Ed25519", "signature_missing", "head 1", []lineEdit{{first + 1, nil}}},
		{"only ML-DSA-65", "signature_missing", "head 1", []lineEdit{{first, nil}}},
		{"a line twice", "signature_duplicate", "head 1", []lineEdit{{first, []string{lines[first], lines[first]}}}},
		{"another order", "signature_order", "head 1", []lineEdit{{first + 1, []string{lines[first]}}, {first, []string{lines[first+1]}}}},
		{"order of the group added to s", "signature_invalid", "head 1", []lineEdit{{first, raw(first, order)}}},
		{"altered ML-DSA-65", "signature_invalid", "head 1", []lineEdit{{first + 1, raw(first+1, flip(100))}}},
		{"unknown key type", "unknown_key_type", "head 1", []lineEdit{{first, raw(first, flip(0))}}},
		{"no padding", "signature_form", "head 1", []lineEdit{{first, []string{strings.TrimRight(lines[first], "=")}}}},
		{"keys missing", "keys_missing", "head 1", []lineEdit{{keys, nil}}},
		{"keys unused", "keys_unused", "head 1", []lineEdit{{first + 1, nil}, {first, nil}}},
		{"ML-DSA-65 key not committed to", "keys_not_committed", "head 1", []lineEdit{{keys, raw(keys, flip(1300))}}},
		{"not ASCII", "not_ascii", "head 1", []lineEdit{{1, []string{"name höme"}}}},
	}
}

// The second implementation makes the vectors, and refuses what is to be refused.
func TestNetworkVectors(t *testing.T) {
	made := toJSON(t, makeNetwork())
	if *update {
		if err := os.WriteFile(networkFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(networkFile)
	if err != nil || string(kept) != string(made) {
		t.Fatalf("%s is not what is made (%v): go test ./test/second -update", networkFile, err)
	}
	var v networkVectors
	if err := json.Unmarshal(kept, &v); err != nil {
		t.Fatal(err)
	}
	for _, d := range v.Documents {
		if text, names, code := readBundle(d.Bundle); code != "" || text != d.Text || !slices.Equal(names, d.Signers) {
			t.Errorf("%s: %s", d.Name, code)
		}
	}
	for _, r := range v.Refused {
		if _, _, code := readBundle(r.apply(v.Documents[0].Bundle)); code != r.Code {
			t.Errorf("%s: %q, want %s", r.Name, code, r.Code)
		}
	}
}
