package did

import (
	"crypto/ecdh"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
)

// zeroSecret is what the table stands for: whether the scalar of least weight
// gives an all-zero secret with b. Every scalar is a multiple of 8, so all do or
// none does.
func zeroSecret(t *testing.T, b [32]byte) bool {
	t.Helper()
	public, err := ecdh.X25519().NewPublicKey(b[:])
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdh.X25519().NewPrivateKey(append(make([]byte, 31), 1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = private.ECDH(public)
	return err != nil
}

// SPEC 2.2: the five coordinates and what lies beside them, against the scalar
// multiplication.
func TestTableOfLowOrderIsTheMultiplications(t *testing.T) {
	var all [][32]byte
	for _, low := range lowOrderU() {
		if !zeroSecret(t, low) {
			t.Errorf("%x is in the table and is of no low order", low)
		}
		all = append(all, low)
		for bit := range 255 {
			near := low
			near[bit/8] ^= 1 << (bit % 8)
			all = append(all, near)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var b [32]byte
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		b[31] &= 0x7f
		all = append(all, b)
	}
	for _, b := range all {
		if littleEndian(b[:]).Cmp(fieldPrime()) >= 0 {
			if usableX25519(&b) {
				t.Errorf("%x is not reduced and is usable", b)
			}
		} else if got, want := usableX25519(&b), !zeroSecret(t, b); got != want {
			t.Errorf("%x: usable %v, the multiplication says %v", b, got, want)
		}
	}
}

// No reduced coordinate is missing: 8P = 0 needs that u is 0, 1 or -1, or that
// the doubled point has one of these.
func TestTableOfLowOrderIsComplete(t *testing.T) {
	p := fieldPrime()
	a := big.NewInt(486662)
	roots := map[string]bool{"0": true, "1": true, new(big.Int).Sub(p, big.NewInt(1)).String(): true}
	for _, target := range []int64{0, 1, -1} {
		for _, u := range halves(p, a, big.NewInt(target)) {
			roots[u.String()] = true
		}
	}
	for _, low := range lowOrderU() {
		delete(roots, littleEndian(low[:]).String())
	}
	if len(roots) != 0 {
		t.Errorf("the table lacks %v", roots)
	}
}

// SPEC 2.2: the check of coefficients against the library's, on every coefficient
// at the bound and beside it.
func TestCheckOfCoefficientsIsTheLibrarys(t *testing.T) {
	id, err := NewIdentity(make([]byte, SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	good := id.KeySet().K
	for i := range 768 {
		for _, v := range []uint16{0, 3328, 3329, 3330, 4095} {
			b := good
			at := i / 2 * 3
			if i%2 == 0 {
				b[at], b[at+1] = byte(v), b[at+1]&0xf0|byte(v>>8)
			} else {
				b[at+1], b[at+2] = b[at+1]&0x0f|byte(v<<4), byte(v>>4)
			}
			want := new(mlkem768.PublicKey).Unpack(b[:]) == nil
			if got := usableMLKEM(&b); got != want || want != (v < 3329) {
				t.Fatalf("coefficient %d = %d: usable %v, the library says %v", i, v, got, want)
			}
		}
	}
}

func TestTheCurvesD(t *testing.T) {
	d := new(big.Int).Mul(edwardsD(), big.NewInt(121666))
	if d.Add(d, big.NewInt(121665)).Mod(d, fieldPrime()).Sign() != 0 {
		t.Error("d is not -121665/121666")
	}
}

// halves are the u with x(2P) = v, for v = 0, 1 or -1, found as square roots:
// x(2P) = (u^2-1)^2 / (4u(u^2+au+1)).
func halves(p, a, v *big.Int) (us []*big.Int) {
	if v.Sign() == 0 {
		return []*big.Int{big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1))}
	}
	// With v = e: u^4 - 4eu^3 - (2+4ea)u^2 - 4eu + 1 = 0. Divided by u^2, with
	// w = u + 1/u and e^2 = 1: w^2 - 4ew - (4+4ea) = 0, so w = 2e ± sqrt(8+4ea).
	e := new(big.Int).Set(v)
	d := new(big.Int).Mul(big.NewInt(4), new(big.Int).Mul(e, a))
	d.Add(d, big.NewInt(8)).Mod(d, p)
	root := new(big.Int).ModSqrt(d, p)
	if root == nil {
		return nil
	}
	for _, sign := range []int64{1, -1} {
		w := new(big.Int).Mul(big.NewInt(2), e)
		w.Add(w, new(big.Int).Mul(big.NewInt(sign), root)).Mod(w, p)
		// u^2 - wu + 1 = 0
		disc := new(big.Int).Mul(w, w)
		disc.Sub(disc, big.NewInt(4)).Mod(disc, p)
		sq := new(big.Int).ModSqrt(disc, p)
		if sq == nil {
			continue
		}
		half := new(big.Int).ModInverse(big.NewInt(2), p)
		for _, s := range []int64{1, -1} {
			u := new(big.Int).Add(w, new(big.Int).Mul(big.NewInt(s), sq))
			u.Mul(u, half).Mod(u, p)
			if !slices.ContainsFunc(us, func(x *big.Int) bool { return x.Cmp(u) == 0 }) {
				us = append(us, u)
			}
		}
	}
	return us
}
