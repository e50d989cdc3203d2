package handshake

import (
	"bytes"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"io"
	"testing"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/libertaria-project/l2tun/test/faults"
)

// circl does ML-KEM here; the standard library says what is right: keys,
// ciphertexts, secrets, and the secrets of forged ciphertexts.
func TestMLKEMAgreesWithTheStandardLibrary(t *testing.T) {
	rnd := stream("differential")
	draw := func(n int) []byte {
		b := make([]byte, n)
		io.ReadFull(rnd, b)
		return b
	}
	for range 50 {
		seed, coins := draw(64), draw(32)
		public := make([]byte, mlkem768.PublicKeySize)
		sk, err := Config{Rand: bytes.NewReader(seed)}.newMLKEM(public)
		if err != nil {
			t.Fatal(err)
		}
		dk, err := mlkem.NewDecapsulationKey768(seed)
		if err != nil || !bytes.Equal(public, dk.EncapsulationKey().Bytes()) || !bytes.Equal(publicBytes(sk), public) {
			t.Fatalf("key generation: %v", err)
		}
		ct := make([]byte, mlkem768.CiphertextSize)
		ss, err := Config{Rand: bytes.NewReader(coins)}.encapsulate(ct, public)
		if err != nil {
			t.Fatal(err)
		}
		wantSS, wantCT, err := mlkemtest.Encapsulate768(dk.EncapsulationKey(), coins)
		if err != nil || !bytes.Equal(ss, wantSS) || !bytes.Equal(ct, wantCT) {
			t.Fatalf("encapsulation: %v", err)
		}
		ct[int(coins[0])*4] ^= coins[1] // most often a forgery, at times not
		want, err := dk.Decapsulate(ct)
		if err != nil || !bytes.Equal(decapsulate(sk, ct), want) {
			t.Fatalf("decapsulation of %x...: %v", ct[:4], err)
		}
	}
}

func TestMLKEMKeyCheckAgreesWithTheStandardLibrary(t *testing.T) {
	public := make([]byte, mlkem768.PublicKeySize)
	if _, err := (Config{Rand: stream("key check")}).newMLKEM(public); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := 0; at < len(public); at += 7 {
		b := bytes.Clone(public)
		b[at] = 0xff
		_, want := mlkem.NewEncapsulationKey768(b)
		_, err := Config{}.encapsulate(make([]byte, mlkem768.CiphertextSize), b)
		if (err == nil) != (want == nil) {
			t.Errorf("byte %d: circl says %v, the standard library %v", at, err, want)
		}
		if err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no key was refused")
	}
	faults.Report(t, "H13", true, "the key check agrees with the standard library")
}
