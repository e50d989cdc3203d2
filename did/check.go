package did

import (
	"crypto/ecdh"
	"math/big"
	"slices"
)

// Two encodings of one point would be two DIDs of one key, and points of low
// order agree with everybody, so a key set may hold neither. All of this works
// on public keys: it need not be constant-time.

// usableEd25519 reports whether b is the canonical encoding of a curve point
// whose order is not 1, 2, 4 or 8 (RFC 8032 section 5.1.3).
func usableEd25519(b *[32]byte) bool {
	p := fieldPrime()
	masked := *b
	masked[31] &= 0x7f
	y := littleEndian(masked[:])
	return y.Cmp(p) < 0 && !lowOrderY(y, p) && onCurve(y, p)
}

// onCurve reports whether some x has x^2 = (y^2-1)/(dy^2+1). The quotient is a
// square exactly when the product is. x = 0 is left out before, by lowOrderY,
// so both signs of x are canonical.
func onCurve(y, p *big.Int) bool {
	one := big.NewInt(1)
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665))
	yy := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(yy, one)
	v := d.Mul(d, yy)
	v.Add(v, one)
	uv := u.Mul(u, v)
	return big.Jacobi(uv.Mod(uv, p), p) == 1
}

// lowOrderY: the points of order 1 and 2 have y = ±1, of order 4 y = 0. Those of
// order 8 double to y = 0, which needs x^2 = -y^2, so d*y^4 + 2*y^2 - 1 = 0.
func lowOrderY(y, p *big.Int) bool {
	one := big.NewInt(1)
	if y.Sign() == 0 || y.Cmp(one) == 0 || new(big.Int).Add(y, one).Cmp(p) == 0 {
		return true
	}
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665))
	yy := new(big.Int).Mul(y, y)
	sum := d.Mul(d, yy)
	sum.Add(sum, big.NewInt(2))
	sum.Mul(sum, yy)
	sum.Sub(sum, one)
	return sum.Mod(sum, p).Sign() == 0
}

// usableX25519 reports whether b is a reduced coordinate that does not force
// an all-zero shared secret (RFC 7748 section 6.1).
func usableX25519(b *[32]byte) bool {
	if littleEndian(b[:]).Cmp(fieldPrime()) >= 0 {
		return false
	}
	public, err := ecdh.X25519().NewPublicKey(b[:])
	if err != nil {
		return false
	}
	probe, err := ecdh.X25519().NewPrivateKey(append(make([]byte, 31), 1))
	if err != nil {
		return false
	}
	_, err = probe.ECDH(public)
	return err == nil
}

// fieldPrime is 2^255 - 19.
func fieldPrime() *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	return p.Sub(p, big.NewInt(19))
}

func littleEndian(b []byte) *big.Int {
	be := slices.Clone(b)
	slices.Reverse(be)
	return new(big.Int).SetBytes(be)
}
