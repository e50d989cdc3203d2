package x25519

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

func decode(t *testing.T, s string) (b [Size]byte) {
	t.Helper()
	if n, err := hex.Decode(b[:], []byte(s)); err != nil || n != Size {
		t.Fatal(n, err)
	}
	return b
}

func private(t *testing.T, s string) *PrivateKey {
	b := decode(t, s)
	return New(&b)
}

// RFC 7748 section 6.1.
func TestVector(t *testing.T) {
	a := private(t, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
	b := private(t, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
	if [Size]byte(a.Public()) != decode(t, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a") ||
		[Size]byte(b.Public()) != decode(t, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f") {
		t.Errorf("public keys %x, %x", a.Public(), b.Public())
	}
	want := decode(t, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
	for _, c := range []struct {
		k *PrivateKey
		p []byte
	}{{a, b.Public()}, {b, a.Public()}} {
		if s, err := c.k.Shared(c.p); err != nil || !bytes.Equal(s, want[:]) {
			t.Errorf("%x, %v", s, err)
		}
	}
}

// The standard library says the same of every public key: random ones, with the
// top bit set, not reduced, and of low order, where both refuse.
func TestAgreesWithTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(7748, 1))
	draw := func() (b [Size]byte) {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	low := [][Size]byte{
		{}, {1}, {31: 0x80},
		decode(t, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
		decode(t, "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
		decode(t, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		decode(t, "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		decode(t, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	}
	for i := range 500 {
		scalar, public := draw(), draw()
		switch {
		case i < len(low):
			public = low[i]
		case i%10 == 0: // not reduced
			public = decode(t, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
			public[0] -= byte(i/10) % 17
		}
		theirs, err := ecdh.X25519().NewPrivateKey(scalar[:])
		if err != nil {
			t.Fatal(err)
		}
		peer, err := ecdh.X25519().NewPublicKey(public[:])
		if err != nil {
			t.Fatal(err)
		}
		want, wantErr := theirs.ECDH(peer)
		ours := New(&scalar)
		if p := ours.Public(); !bytes.Equal(p, theirs.PublicKey().Bytes()) {
			t.Fatalf("scalar %x: public key %x", scalar, p)
		}
		got, err := ours.Shared(public[:])
		if !bytes.Equal(got, want) || (err != nil) != (wantErr != nil) || err != nil && !errors.Is(err, ErrLowOrder) {
			t.Fatalf("scalar %x, public %x: %x, %v; the standard library: %x, %v", scalar, public, got, err, want, wantErr)
		}
		if (i < len(low)) != (err != nil) {
			t.Fatalf("public %x: %v", public, err)
		}
	}
}

func TestPublicKeysOfAnotherSize(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		if _, err := New(&[Size]byte{1}).Shared(make([]byte, n)); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestPrintsNoScalar(t *testing.T) {
	k := New(&[Size]byte{1, 2, 3})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if s := fmt.Sprintf(verb, k); s != "X25519 key" {
			t.Errorf("%s: %s", verb, s)
		}
	}
}

func TestErase(t *testing.T) {
	k := New(&[Size]byte{1, 2, 3})
	k.Erase()
	if k.scalar != ([Size]byte{}) {
		t.Error("the scalar is still there")
	}
	(*PrivateKey)(nil).Erase()
}

// BenchmarkShared and BenchmarkNew hold both libraries side by side (ADR-019).
func BenchmarkShared(b *testing.B) {
	scalar := [Size]byte{1, 2, 3}
	ours := New(&scalar)
	theirs, err := ecdh.X25519().NewPrivateKey(scalar[:])
	if err != nil {
		b.Fatal(err)
	}
	public := New(&[Size]byte{4}).Public()
	b.Run("circl", func(b *testing.B) {
		for b.Loop() {
			if _, err := ours.Shared(public); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("standard", func(b *testing.B) {
		for b.Loop() {
			peer, err := ecdh.X25519().NewPublicKey(public)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := theirs.ECDH(peer); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	scalar := [Size]byte{1, 2, 3}
	b.Run("circl", func(b *testing.B) {
		for b.Loop() {
			New(&scalar)
		}
	})
	b.Run("standard", func(b *testing.B) {
		for b.Loop() {
			if _, err := ecdh.X25519().NewPrivateKey(scalar[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
