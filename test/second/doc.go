// Package second is a second implementation of the handshake, for tests only:
// it has no code but tests. It was written from SPEC.md sections 2 and 5.1, not
// from package handshake, so that neither can vouch for its own mistakes, and it
// shares no library with it but the standard one and x/crypto: ML-KEM is
// crypto/mlkem, ML-DSA is filippo.io/mldsa, BLAKE3 is zeebo's, HKDF is crypto/hkdf, every label and offset
// is a literal.
//
// It makes the vectors in handshake/testdata (go test ./test/second -update)
// and completes handshakes with package handshake in both roles and all modes.
//
// It is no product code: it checks what the SPEC says to check, erases nothing,
// and panics when its own inputs are wrong.
package second
