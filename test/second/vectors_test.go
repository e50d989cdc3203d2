package second

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/zeebo/blake3"
)

var update = flag.Bool("update", false, "write the vectors of spec/vectors anew")

// hexBytes is written as hexadecimal.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

type message struct {
	Name   string   `json:"name"`
	BLAKE3 hexBytes `json:"blake3"`
	Bytes  hexBytes `json:"bytes"`
}

func named(name string, b []byte) message { return message{name, hash(b), b} }

// The two kinds of vector (SPEC 5.1 "Vectors").
type fullVector struct {
	SeedI     hexBytes          `json:"seed_i"`
	SeedR     hexBytes          `json:"seed_r"`
	Random    map[string]string `json:"random"`
	Binding   hexBytes          `json:"binding"`
	ParamsI   params            `json:"params_i"`
	ParamsR   params            `json:"params_r"`
	NotBefore uint64            `json:"prekey_not_before"`
	NotAfter  uint64            `json:"prekey_not_after"`
	Messages  []message         `json:"messages"`
	Steps     []step            `json:"steps"`
	Keys      []namedKey        `json:"keys"`
}

type shortVector struct {
	SeedI    hexBytes          `json:"seed_i"`
	SeedR    hexBytes          `json:"seed_r"`
	Random   map[string]string `json:"random"`
	Secret   hexBytes          `json:"secret"`
	Link     vectorLink        `json:"link"`
	Binding  hexBytes          `json:"binding"`
	ParamsI  params            `json:"params_i"`
	ParamsR  params            `json:"params_r"`
	Messages []message         `json:"messages"`
	Steps    []step            `json:"steps"`
	Keys     []namedKey        `json:"keys"`
}

type vectorLink struct {
	Mode byte   `json:"mode"`
	Low  uint16 `json:"header_6_7"`
	High uint32 `json:"header_12_15"`
}

// stream is BLAKE3 in XOF mode over a name.
func stream(name string) io.Reader {
	h := blake3.New()
	must(h.WriteString(name))
	return h.Digest()
}

// seeded is the node of a named seed.
func seeded(name string) (n *node, seed []byte) {
	seed = draw(stream(name), 32)
	return newNode(seed), seed
}

// someBinding stands for a TLS exporter.
func someBinding() []byte { return join([]byte{1}, hash([]byte("exporter"))) }

// handshakeFull runs both ends of the second implementation.
func handshakeFull(t *testing.T, binding []byte, pi, pr params) (v fullVector, i *fullInitiator) {
	t.Helper()
	a, seedA := seeded("identity a")
	b, seedB := seeded("identity b")
	v = fullVector{SeedI: seedA, SeedR: seedB, Binding: binding, ParamsI: pi, ParamsR: pr,
		Random:    map[string]string{"initiator": "initiator", "prekey": "prekey b", "responder": "responder"},
		NotBefore: 1790000000, NotAfter: 1790086400}
	i = &fullInitiator{me: a, random: stream("initiator"), binding: binding, params: pi.bytes()}
	r := &fullResponder{me: b, random: stream("responder"), binding: binding,
		prekey: newPrekey(b, stream("prekey b"), v.NotBefore, v.NotAfter)}

	req := i.keysReq(b.set.digest())
	keys := must(r.readKeysReq(req))
	if err := i.readKeys(keys, b.set.digest()); err != nil {
		t.Fatal(err)
	}
	m1 := must(i.m1())
	if answer, err := r.readM1(m1); err != nil || answer != nil {
		t.Fatal(answer, err)
	}
	refused := r.refused(1)
	if reason, err := i.readRefused(refused); err != nil || reason != 1 {
		t.Fatal(reason, err)
	}
	m2 := must(r.m2(pr.bytes()))
	m3 := must(i.readM2(m2))
	if err := r.readM3(m3); err != nil {
		t.Fatal(err)
	}
	v.Messages = []message{named("KEYS_REQ", req), named("KEYS", keys), named("M1", m1),
		named("REFUSED", refused), named("M2", m2), named("M3", m3)}
	v.Steps, v.Keys = i.state.steps, i.state.keys
	if !bytes.Equal(toJSON(t, v.Steps), toJSON(t, r.state.steps)) {
		t.Fatal("the two ends of the second implementation do not agree")
	}
	return v, i
}

// handshakeShort runs both ends of the second implementation.
func handshakeShort(t *testing.T, l link, secret, binding []byte, pi, pr params) (v shortVector) {
	t.Helper()
	a, seedA := seeded("identity a")
	b, seedB := seeded("identity b")
	h := header(typeM1r, sizeM1r, l)
	v = shortVector{SeedI: seedA, SeedR: seedB, Secret: secret, Binding: binding, ParamsI: pi, ParamsR: pr,
		Random: map[string]string{"initiator": "initiator", "responder": "responder"},
		Link:   vectorLink{l.mode, uint16(h[6]) | uint16(h[7])<<8, prekeyRecord(h[12:]).id()}}
	i := &shortInitiator{me: a, peer: b.set, link: l, secret: secret, random: stream("initiator"), binding: binding, params: pi.bytes()}
	r := &shortResponder{me: b, peer: a.set, link: l, secret: secret, random: stream("responder"), binding: binding}

	m1r := must(i.m1r())
	if err := r.readM1r(m1r); err != nil {
		t.Fatal(err)
	}
	m2r := must(r.m2r(pr.bytes()))
	m3r := must(i.readM2r(m2r))
	if err := r.readM3r(m3r); err != nil {
		t.Fatal(err)
	}
	v.Messages = []message{named("M1r", m1r), named("M2r", m2r), named("M3r", m3r), named("UNKNOWN", r.unknown())}
	v.Steps, v.Keys = i.state.steps, i.state.keys
	if !bytes.Equal(toJSON(t, v.Steps), toJSON(t, r.state.steps)) {
		t.Fatal("the two ends of the second implementation do not agree")
	}
	return v
}

func idR() hexBytes { return hexBytes{0x84, 5, 6, 0, 0, 0, 0} }
func idI() hexBytes { return hexBytes{0x81, 2, 3, 0, 0, 0, 0} }

// TestVectors: what stands in spec/vectors is, to the byte, what the
// second implementation makes. The short ones chain from the first full one.
func TestVectors(t *testing.T) {
	none := make([]byte, 33)
	one, i := handshakeFull(t, someBinding(), params{idI(), 3, 1420, 1, 11}, params{idR(), 1, 1400, 3, 22})
	two, _ := handshakeFull(t, none, params{idI(), 0, 1280, 1, 11}, params{idR(), 1, 1400, 1, 22})
	compare(t, "handshake-full.json", []fullVector{one, two})

	compare(t, "handshake-short.json", []shortVector{
		handshakeShort(t, rotation(5, 4), i.out.rekey, none,
			params{idI(), 3, 1420, 4, 11}, params{idR(), 1, 1400, 4, 22}),
		handshakeShort(t, resumption(i.out.resumeIDI2R), i.out.resumeI2R, someBinding(),
			params{idI(), 3, 1420, 4, 11}, params{idR(), 1, 1400, 7, 22}),
	})
}

func toJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// compare names the first line that differs.
func compare(t *testing.T, name string, v any) {
	t.Helper()
	path := filepath.Join("..", "..", "spec", "vectors", name)
	made := toJSON(t, v)
	if *update {
		if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, got := bytes.Split(stored, []byte("\n")), bytes.Split(made, []byte("\n"))
	for n := range min(len(want), len(got)) {
		if !bytes.Equal(want[n], got[n]) {
			t.Fatalf("%s line %d: stored %.120s, made %.120s", name, n+1, want[n], got[n])
		}
	}
	if len(want) != len(got) {
		t.Fatalf("%s has %d lines, made %d", name, len(want), len(got))
	}
}
