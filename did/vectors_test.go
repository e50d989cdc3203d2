package did_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/mlkem"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math/big"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/did"
)

var update = flag.Bool("update", false, "rewrite ../spec/vectors/identity.json from the straight-line generator")

const vectorFile = "../spec/vectors/identity.json"

// A vector is everything public that follows from one seed.
type vector struct {
	Seed       string `json:"seed"`
	Ed25519    string `json:"ed25519"`
	X25519     string `json:"x25519"`
	MLKEMHash  string `json:"mlkem768_blake3"`
	MLDSAHash  string `json:"mldsa65_blake3"`
	Q          string `json:"q"`
	KeySetHash string `json:"keyset_blake3"`
	Digest     string `json:"digest"`
	DID        string `json:"did"`
	Addr       string `json:"addr"`
	Secret     string `json:"secret_test"`
}

// generate writes SPEC "Identity" down once more, in a straight line, with the
// standard library where the product uses circl, and its own base58.
func generate(t *testing.T, seed []byte) vector {
	derive := func(name string, size int) []byte {
		out := make([]byte, size)
		blake3.DeriveKey(out, "l2tun 2026-11 identity v1 "+name, seed)
		return out
	}
	s := ed25519.NewKeyFromSeed(derive("Ed25519 seed", 32)).Public().(ed25519.PublicKey)
	x, err := ecdh.X25519().NewPrivateKey(derive("X25519 scalar", 32))
	if err != nil {
		t.Fatal(err)
	}
	d := x.PublicKey().Bytes()
	dk, err := mlkem.NewDecapsulationKey768(derive("ML-KEM-768 seed", 64))
	if err != nil {
		t.Fatal(err)
	}
	k := dk.EncapsulationKey().Bytes()
	qpk, _ := mldsa65.NewKeyFromSeed((*[32]byte)(derive("ML-DSA-65 seed", 32)))
	q := qpk.Bytes()

	sigset := slices.Concat([]byte("did:morpheus l2tun sigset v1\x00"), []byte{0x91, 0x24, 0xa0, 0x07}, q)
	qh := blake3.Sum256(sigset)
	digest := blake3.Sum256(slices.Concat([]byte("did:morpheus l2tun keyset v1\x00"),
		[]byte{0xed, 0x01, 32, 0}, s, []byte{0xec, 0x01, 32, 0}, d,
		[]byte{0x8c, 0x24, 0xa0, 0x04}, k, []byte{0x1e, 32, 0}, qh[:]))
	addr := netip.AddrFrom16([16]byte(slices.Concat([]byte{0xfd, 0x4c, 0x32, 0x54}, digest[:12])))
	local := blake3.New(32, derive("local secrets", 32))
	local.Write([]byte("test"))

	hash := func(b []byte) string { h := blake3.Sum256(b); return hex.EncodeToString(h[:]) }
	return vector{
		Seed: hex.EncodeToString(seed), Ed25519: hex.EncodeToString(s), X25519: hex.EncodeToString(d),
		MLKEMHash: hash(k), MLDSAHash: hash(q), Q: hex.EncodeToString(qh[:]),
		KeySetHash: hash(slices.Concat(s, d, k, qh[:])), Digest: hex.EncodeToString(digest[:]),
		DID:  "did:morpheus:z" + slowBase58(slices.Concat([]byte{0x1e, 0x20}, digest[:])),
		Addr: addr.String(), Secret: hex.EncodeToString(local.Sum(nil)),
	}
}

// slowBase58 is division by 58; the input never begins with a zero byte.
func slowBase58(b []byte) string {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	var out []byte
	n, m := new(big.Int).SetBytes(b), new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, big.NewInt(58), m)
		out = append(out, alphabet[m.Int64()])
	}
	slices.Reverse(out)
	return string(out)
}

func vectorSeeds() [][]byte {
	counting := make([]byte, 32)
	for i := range counting {
		counting[i] = byte(i)
	}
	return [][]byte{make([]byte, 32), counting, bytes.Repeat([]byte{0xff}, 32), []byte("l2tun test vector, seed number 4")}
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var want []vector
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(vectorSeeds()) {
		t.Fatalf("%d vectors in the file, want %d", len(want), len(vectorSeeds()))
	}
	for i, seed := range vectorSeeds() {
		if got := generate(t, seed); got != want[i] {
			t.Errorf("generator, vector %d:\n%+v\nwant\n%+v", i, got, want[i])
		}
		checkProduct(t, seed, want[i])
	}
}

func checkProduct(t *testing.T, seed []byte, want vector) {
	t.Helper()
	id, err := did.NewIdentity(seed)
	if err != nil {
		t.Fatal(err)
	}
	k := id.KeySet()
	equal := func(name string, got []byte, want string) {
		t.Helper()
		if hex.EncodeToString(got) != want {
			t.Errorf("seed %x: %s is %x, want %s", seed, name, got, want)
		}
	}
	hash := func(b []byte) []byte { h := blake3.Sum256(b); return h[:] }
	digest, secret := id.DID().Digest(), id.Secret("test")
	equal("S", k.S[:], want.Ed25519)
	equal("D", k.D[:], want.X25519)
	equal("K", hash(k.K[:]), want.MLKEMHash)
	equal("Q", k.Q[:], want.Q)
	equal("key set", hash(k.Append(nil)), want.KeySetHash)
	equal("digest", digest[:], want.Digest)
	equal("secret", secret[:], want.Secret)
	if id.DID().String() != want.DID || id.DID().Addr().String() != want.Addr {
		t.Errorf("seed %x: %v %v, want %s %s", seed, id.DID(), id.DID().Addr(), want.DID, want.Addr)
	}
}

func writeVectors(t *testing.T) {
	var all []vector
	for _, seed := range vectorSeeds() {
		all = append(all, generate(t, seed))
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
