// Package second is a second implementation of the handshake, of the frames of
// meeting and of news, of what is sealed in a join through a hub and of the bundles of networks, for
// tests only: it has no code but tests. It was written from the specification, sections
// 2, 5.1, 6.11 to 6.13, 10.1 and 10.6, not from packages handshake, wire, invite and network,
// so that none can vouch for its own mistakes, and it shares no library with them but the
// standard one and x/crypto: ML-KEM is crypto/mlkem, ML-DSA is filippo.io/mldsa,
// BLAKE3 is zeebo's, HKDF is crypto/hkdf, every label and offset is a literal.
//
// It makes vectors in spec/vectors (go test ./test/second -update), completes
// handshakes with package handshake in both roles and all modes, and reads and
// writes the frames that package wire writes and reads.
//
// It is no product code: it checks what the SPEC says to check, erases nothing,
// and panics when its own inputs are wrong.
package second
