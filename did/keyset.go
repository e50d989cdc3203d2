package did

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// KeySetSize is the size in bytes of an encoded key set.
const KeySetSize = 1280

// A KeySet is a node's public keys. It comes from ParseKeySet or an Identity,
// which vouch for its keys; who fills one by hand gets panics from Encapsulate.
//
//	bytes 0-31       S  Ed25519, signs the handshake
//	bytes 32-63      D  X25519, static agreement
//	bytes 64-1247    K  ML-KEM-768 encapsulation key
//	bytes 1248-1279  Q  BLAKE3 of the typed ML-DSA-65 key, which signs prekeys
type KeySet struct {
	S, D [32]byte
	K    [mlkem768.PublicKeySize]byte
	Q    [32]byte
}

// ParseKeySet reads exactly KeySetSize bytes. It refuses Ed25519 and X25519
// keys that are not canonical or of low order, and ML-KEM keys that fail the
// check of FIPS 203 section 7.2. Errors are ErrKeySet with the reason.
func ParseKeySet(b []byte) (*KeySet, error) {
	if len(b) != KeySetSize {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrKeySet, len(b), KeySetSize)
	}
	k := new(KeySet)
	rest := b
	for _, part := range [][]byte{k.S[:], k.D[:], k.K[:], k.Q[:]} {
		rest = rest[copy(part, rest):]
	}
	if err := k.check(); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *KeySet) check() error {
	switch {
	case !usableEd25519(&k.S):
		return fmt.Errorf("%w: bad Ed25519 key", ErrKeySet)
	case !usableX25519(&k.D):
		return fmt.Errorf("%w: bad X25519 key", ErrKeySet)
	}
	if !usableMLKEM(&k.K) {
		return fmt.Errorf("%w: bad ML-KEM-768 key", ErrKeySet)
	}
	return nil
}

// Append appends the KeySetSize bytes of k to b.
func (k *KeySet) Append(b []byte) []byte {
	b = append(b, k.S[:]...)
	b = append(b, k.D[:]...)
	b = append(b, k.K[:]...)
	return append(b, k.Q[:]...)
}

// DID hashes the typed keys (SPEC "Identity"):
//
//	BLAKE3(LabelKeySet || T(0xed, S) || T(0xec, D) || T(0x120c, K) || T(0x1e, Q))
func (k *KeySet) DID() DID {
	b := make([]byte, 0, len(wire.LabelKeySet)+KeySetSize+4*4)
	b = append(b, wire.LabelKeySet...)
	b = appendTyped(b, wire.CodeEd25519, k.S[:])
	b = appendTyped(b, wire.CodeX25519, k.D[:])
	b = appendTyped(b, wire.CodeMLKEM, k.K[:])
	b = appendTyped(b, wire.CodeBLAKE3, k.Q[:])
	return DID{blake3.Sum256(b)}
}

// hashMLDSA is Q: BLAKE3(LabelSigSet || T(0x1211, key)).
func hashMLDSA(public []byte) [32]byte {
	return blake3.Sum256(appendTyped([]byte(wire.LabelSigSet), wire.CodeMLDSA, public))
}

// appendTyped appends T(code, key) = varint(code) || le16(len key) || key. The
// type inside the hash keeps keys of one size and two kinds apart.
func appendTyped(b []byte, code uint64, key []byte) []byte {
	b = binary.AppendUvarint(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key)))
	return append(b, key...)
}

// Encapsulate makes an ML-KEM-768 ciphertext (1088 bytes) to K and its shared
// secret (32 bytes) from 32 uniformly random bytes that serve nothing else.
func (k *KeySet) Encapsulate(coins *[32]byte) (ct, ss []byte) {
	var pk mlkem768.PublicKey
	if err := pk.Unpack(k.K[:]); err != nil {
		panic("did: internal error: a key set that was never checked")
	}
	ct, ss = make([]byte, mlkem768.CiphertextSize), make([]byte, mlkem768.SharedKeySize)
	pk.EncapsulateTo(ct, ss, coins[:])
	return ct, ss
}

// VerifyMLDSA checks an ML-DSA-65 signature (3309 bytes) over msg, by the key of
// 1952 bytes that the key set commits to.
func (k *KeySet) VerifyMLDSA(public, msg, sig []byte) bool {
	if !k.CommitsTo(public) {
		return false
	}
	var key mldsa65.PublicKey
	key.Unpack((*[mldsa65.PublicKeySize]byte)(public))
	return mldsa65.Verify(&key, msg, nil, sig)
}

// Verify checks an Ed25519 signature (64 bytes) of S over msg.
func (k *KeySet) Verify(msg, sig []byte) bool { return ed25519.Verify(k.S[:], msg, sig) }

// CommitsTo reports whether the key set commits to an ML-DSA-65 key of 1952 bytes.
func (k *KeySet) CommitsTo(public []byte) bool {
	return len(public) == mldsa65.PublicKeySize && hashMLDSA(public) == k.Q
}
