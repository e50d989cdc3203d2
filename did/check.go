package did

import (
	"math/big"
	"slices"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
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
	d := edwardsD()
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
	d := edwardsD()
	yy := new(big.Int).Mul(y, y)
	sum := d.Mul(d, yy)
	sum.Add(sum, big.NewInt(2))
	sum.Mul(sum, yy)
	sum.Sub(sum, one)
	return sum.Mod(sum, p).Sign() == 0
}

// edwardsD is the curve's d = -121665/121666 modulo p.
func edwardsD() *big.Int {
	d, _ := new(big.Int).SetString("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3", 16)
	return d
}

// usableX25519 reports whether b is a reduced coordinate that does not force an
// all-zero shared secret (RFC 7748 section 6.1). Those that do belong to the
// points whose order divides 8, on the curve and on its twist; reduced, there
// are five: a scalar multiplication would find the same and cost a hundred times
// as much in each handshake.
func usableX25519(b *[32]byte) bool {
	if b[31]&0x80 != 0 || littleEndian(b[:]).Cmp(fieldPrime()) >= 0 {
		return false
	}
	for _, low := range lowOrderU() {
		if *b == low {
			return false
		}
	}
	return true
}

// lowOrderU are the coordinates of the points of order 4 (on the curve 1, on the
// twist -1), 2 (0) and 8, little-endian.
func lowOrderU() [5][32]byte {
	minusOne := [32]byte{0xec, 31: 0x7f}
	for i := 1; i < 31; i++ {
		minusOne[i] = 0xff
	}
	return [5][32]byte{
		{},
		{1},
		minusOne,
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
			0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
			0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	}
}

// usableMLKEM is the check of FIPS 203 section 7.2: each coefficient, of 12 bits,
// is reduced. The 32 bytes behind them may be anything. Unpacking the key would
// say the same and expand its matrix, once more than Encapsulate does.
func usableMLKEM(b *[mlkem768.PublicKeySize]byte) bool {
	const q = 3329
	for c := b[:len(b)-32]; len(c) > 0; c = c[3:] {
		first, second := uint16(c[0])|uint16(c[1]&15)<<8, uint16(c[1])>>4|uint16(c[2])<<4
		if first >= q || second >= q {
			return false
		}
	}
	return true
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
