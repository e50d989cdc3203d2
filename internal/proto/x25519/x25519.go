// Package x25519 is X25519 (RFC 7748) for did and handshake, by circl: on amd64
// it is faster than the standard library's (ADR-019; the benchmarks here show
// both). Both run in constant time. It owns the scalars, which it never prints.
package x25519

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/dh/x25519"
)

// Size is the size in bytes of scalars, public keys and shared secrets.
const Size = x25519.Size

// ErrSize means that a public key has not Size bytes.
var ErrSize = errors.New("x25519: a public key of another size than 32 bytes")

// ErrLowOrder means that a public key gives every scalar the same secret, zero
// (RFC 7748 section 6.1).
var ErrLowOrder = errors.New("x25519: a public key of low order")

// A PrivateKey is a scalar and its public key. Until it is erased it does not
// change and is safe for concurrent use.
type PrivateKey struct{ scalar, public x25519.Key }

// New takes a scalar of uniformly random bytes, clamped in use. The caller wipes
// its own.
func New(scalar *[Size]byte) *PrivateKey {
	k := &PrivateKey{scalar: *scalar}
	x25519.KeyGen(&k.public, &k.scalar)
	return k
}

// Erase wipes the scalar. The key must not be used any more. A nil key has none.
func (k *PrivateKey) Erase() {
	if k != nil {
		clear(k.scalar[:])
	}
}

// Public is the public key, Size bytes, a copy.
func (k *PrivateKey) Public() []byte { return bytes.Clone(k.public[:]) }

// Shared returns the secret shared with a public key, both of Size bytes, or an
// error: ErrLowOrder, ErrSize. The top bit of public is ignored, as RFC 7748
// section 5 has it.
func (k *PrivateKey) Shared(public []byte) ([]byte, error) {
	if len(public) != Size {
		return nil, ErrSize
	}
	var secret x25519.Key
	if !x25519.Shared(&secret, &k.scalar, (*x25519.Key)(public)) {
		return nil, ErrLowOrder
	}
	return secret[:], nil
}

// Format prints no scalar, whatever the verb.
func (k *PrivateKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "X25519 key") }
