package did

import (
	"bytes"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"

	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeySetRoundTrip(t *testing.T) {
	k := testIdentity(t, 1).KeySet()
	b := k.Append([]byte("x"))[1:]
	if len(b) != KeySetSize {
		t.Fatalf("%d bytes", len(b))
	}
	got, err := ParseKeySet(b)
	if err != nil || *got != *k || got.DID() != k.DID() {
		t.Fatalf("ParseKeySet: %v", err)
	}
}

// SPEC R-2.2-1.
func TestKeySetRefusesBadKeys(t *testing.T) {
	good := testIdentity(t, 1).KeySet().Append(nil)
	with := func(at int, b []byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	// The eight points of low order, canonical and not (first three rows: y = 0,
	// 1, -1; then order 8; then y = p, p+1), a y off the curve, a y >= p.
	ed := []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0200000000000000000000000000000000000000000000000000000000000000",
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	}
	x := []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0900000000000000000000000000000000000000000000000000000000000080",
	}
	var bad [][]byte
	for _, s := range ed {
		bad = append(bad, with(0, unhex(t, s)))
	}
	for _, s := range x {
		bad = append(bad, with(32, unhex(t, s)))
	}
	bad = append(bad, with(64, []byte{0xff, 0xff, 0xff}), good[:KeySetSize-1], append(bytes.Clone(good), 0), nil)
	for i, b := range bad {
		if _, err := ParseKeySet(b); !errors.Is(err, ErrKeySet) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	faults.Report(t, "H13", true, "low-order, unreduced and malformed keys in a key set: refused")
}

func TestGoodKeysAreTakenAndHalfOfRandomPointsAreNot(t *testing.T) {
	r := rand.NewChaCha8([32]byte{7})
	onCurve := 0
	for range 200 {
		var b [32]byte
		r.Read(b[:])
		b[31] &= 0x7f
		if usableEd25519(&b) {
			onCurve++
		}
	}
	if onCurve < 60 || onCurve > 140 {
		t.Errorf("%d of 200 random encodings are curve points, want about half", onCurve)
	}
	for fill := range byte(20) {
		if _, err := ParseKeySet(testIdentity(t, fill).KeySet().Append(nil)); err != nil {
			t.Errorf("own key set %d: %v", fill, err)
		}
	}
}

// SPEC "Identity": the type of a key is inside the hash.
func TestTypeOfAKeyChangesTheDigest(t *testing.T) {
	k := testIdentity(t, 1).KeySet()
	digest := func(codes [4]uint64) DID {
		b := []byte(wire.LabelKeySet)
		for i, key := range [][]byte{k.S[:], k.D[:], k.K[:], k.Q[:]} {
			b = appendTyped(b, codes[i], key)
		}
		return FromDigest(blake3.Sum256(b))
	}
	const kyber768 = 0x120b // what a round-3 key of the same 1184 bytes would be called
	right := [4]uint64{wire.CodeEd25519, wire.CodeX25519, wire.CodeMLKEM, wire.CodeBLAKE3}
	if digest(right) != k.DID() {
		t.Fatal("the test computes another digest")
	}
	for i, other := range []uint64{wire.CodeX25519, wire.CodeEd25519, kyber768, wire.CodeMLDSA} {
		wrong := right
		wrong[i] = other
		if digest(wrong) == k.DID() {
			t.Errorf("key %d under type %#x gives the same DID", i, other)
		}
	}
}

// SPEC R-2.3-2.
func TestEveryKeyChangesTheDID(t *testing.T) {
	k := testIdentity(t, 1).KeySet()
	for at := 0; at < KeySetSize; at += 31 {
		b := k.Append(nil)
		b[at] ^= 1
		var other KeySet
		copy(other.S[:], b)
		copy(other.D[:], b[32:])
		copy(other.K[:], b[64:])
		copy(other.Q[:], b[1248:])
		if other.DID() == k.DID() {
			t.Errorf("byte %d does not count", at)
		}
	}
}

// circl against the standard library, both ways.
func TestEncapsulateAgreesWithTheStandardLibrary(t *testing.T) {
	id := testIdentity(t, 5)
	ek, err := mlkem.NewEncapsulationKey768(id.KeySet().K[:])
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(8) {
		coins := [32]byte{i, 1}
		ct, ss := id.KeySet().Encapsulate(&coins)
		wantSS, wantCT, err := mlkemtest.Encapsulate768(ek, coins[:])
		if err != nil || !bytes.Equal(ct, wantCT) || !bytes.Equal(ss, wantSS) {
			t.Fatalf("coins %d: circl and the standard library differ (%v)", i, err)
		}
		got, err := id.Decapsulate(ct)
		if err != nil || !bytes.Equal(got, ss) {
			t.Fatalf("Decapsulate: %v", err)
		}
		ct[int(i)*100] ^= 1
		if got, err := id.Decapsulate(ct); err != nil || bytes.Equal(got, ss) {
			t.Errorf("a changed ciphertext opened to the same secret (%v)", err)
		}
	}
	if _, err := id.Decapsulate(make([]byte, 10)); err == nil {
		t.Error("short ciphertext accepted")
	}
}
