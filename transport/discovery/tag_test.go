package discovery

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"slices"
	"testing"

	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/did"
)

var update = flag.Bool("update", false, "rewrite ../../spec/vectors/discovery.json from the straight-line generator")

const vectorFile = "../../spec/vectors/discovery.json"

// A vector is one packet with one entry, and what is computed on the way.
type vector struct {
	From   string `json:"from_digest"`
	To     string `json:"to_digest"`
	Kind   byte   `json:"kind"`
	Salt   string `json:"salt"`
	Source string `json:"source"`
	Port   uint16 `json:"port"`
	Key    string `json:"pair_key"`
	Input  string `json:"subject"`
	ID     string `json:"id"`
	Pad    string `json:"pad"`
	Proof  string `json:"proof"`
	Packet string `json:"packet"`
}

// complete writes SPEC "Discovery" down once more, in a straight line, over the
// library's hasher instead of its compression function.
func (v vector) complete() vector {
	unhex := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	key := make([]byte, 32)
	blake3.DeriveKey(key, "l2tun 2026-11 discovery v1", append(unhex(v.From), unhex(v.To)...))
	hash := func(msg []byte) []byte { h := blake3.New(32, key); h.Write(msg); return h.Sum(nil) }
	address := netip.MustParseAddr(v.Source).As16()
	in := append(append([]byte{v.Kind}, unhex(v.Salt)...), address[:]...)
	h := hash(in)
	proof := hash(append(slices.Clone(in), byte(v.Port>>8), byte(v.Port)))[:8]
	packet := append([]byte{'l', '2', 't', 'd', 1, v.Kind, 1, 0}, unhex(v.Salt)...)
	packet = append(packet, h[:8]...)
	packet = append(packet, byte(v.Port>>8)^h[8], byte(v.Port)^h[9])
	packet = append(packet, proof...)
	v.Key, v.Input, v.ID, v.Pad = hex.EncodeToString(key), hex.EncodeToString(in), hex.EncodeToString(h[:8]), hex.EncodeToString(h[8:10])
	v.Proof, v.Packet = hex.EncodeToString(proof), hex.EncodeToString(packet)
	return v
}

func vectors() (out []vector) {
	a, b := name(1).Digest(), name(2).Digest()
	for i, source := range []string{"192.0.2.7", "fe80::1", "169.254.9.9", "fe80::ffff:ffff:ffff:ffff"} {
		v := vector{From: hex.EncodeToString(a[:]), To: hex.EncodeToString(b[:]), Kind: byte(i%2 + 1),
			Salt: hex.EncodeToString([]byte("sixteen bytes " + string(rune('A'+i)) + ".")), Source: source, Port: []uint16{4242, 1, 65535, 0}[i]}
		if i > 1 {
			v.From, v.To = v.To, v.From
		}
		out = append(out, v.complete())
	}
	return out
}

func TestEntriesAreThoseOfTheVectors(t *testing.T) {
	if *update {
		text, _ := json.MarshalIndent(vectors(), "", "  ")
		if err := os.WriteFile(vectorFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var stored []vector
	if err := json.Unmarshal(text, &stored); err != nil || !slices.Equal(stored, vectors()) {
		t.Fatalf("the file is not what the generator makes: %v", err)
	}
	for i, v := range stored {
		from, to := digest(t, v.From), digest(t, v.To)
		var s salt
		hex.Decode(s[:], []byte(v.Salt))
		k := keyFrom(from, to)
		subject := newSubject(kind(v.Kind), s, at(v.Source))
		b := appendPacket(nil, kind(v.Kind), s, []entry{k.entry(&subject, v.Port)})
		if hex.EncodeToString(k[:]) != v.Key || hex.EncodeToString(subject[:]) != v.Input || hex.EncodeToString(b) != v.Packet {
			t.Errorf("vector %d: %x\nwant %s", i, b, v.Packet)
		}
		peer, port, ok := newBook(to, []did.DID{from}).sender(mustParse(t, b), at(v.Source))
		if !ok || peer != from || port != v.Port {
			t.Errorf("vector %d is from %v at %d, %v", i, peer, port, ok)
		}
	}
}

func digest(t *testing.T, s string) did.DID {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return did.FromDigest([32]byte(b))
}

func TestKeyedIsTheLibrarysHash(t *testing.T) {
	k := pairKey(random(32))
	for n := range 65 {
		msg := random(n)
		h := blake3.New(64, k[:])
		h.Write(msg)
		if got := keyed(&k, msg); string(got[:]) != string(h.Sum(nil)) {
			t.Errorf("%d bytes", n)
		}
	}
}

func TestKeysHaveADirection(t *testing.T) {
	seen := map[pairKey]bool{}
	for _, k := range []pairKey{keyFrom(name(1), name(2)), keyFrom(name(2), name(1)), keyFrom(name(1), name(3)), keyFrom(name(1), name(1))} {
		if seen[k] {
			t.Error("two pairs have one key")
		}
		seen[k] = true
	}
}
