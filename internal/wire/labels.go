package wire

// Labels of the identity layer (SPEC section "Identity"). Each has one use;
// the trailing zero byte ends the two that start a hash, so that neither is a
// prefix of another.
const (
	LabelKeySet = "did:morpheus l2tun keyset v1\x00" // digest of a key set: the DID
	LabelSigSet = "did:morpheus l2tun sigset v1\x00" // hash of the typed ML-DSA-65 key
)

// BLAKE3 derive-key contexts by which an identity's seed becomes its keys.
const (
	ContextEd25519 = "l2tun 2026-11 identity v1 Ed25519 seed"
	ContextX25519  = "l2tun 2026-11 identity v1 X25519 scalar"
	ContextMLKEM   = "l2tun 2026-11 identity v1 ML-KEM-768 seed"
	ContextMLDSA   = "l2tun 2026-11 identity v1 ML-DSA-65 seed"
	ContextLocal   = "l2tun 2026-11 identity v1 local secrets"
)

// Multicodec codes that give a key its type inside the hashes.
const (
	CodeEd25519 = 0xed
	CodeX25519  = 0xec
	CodeMLKEM   = 0x120c // ML-KEM-768 public key
	CodeMLDSA   = 0x1211 // ML-DSA-65 public key
	CodeBLAKE3  = 0x1e   // BLAKE3 multihash
)
