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

// ContextDiscovery is the BLAKE3 derive-key context of the key by which two nodes
// know each other on a LAN.
const ContextDiscovery = "l2tun 2026-11 discovery v1"

// LabelPreface is the key under which the preface of a μTCP connection checks itself.
const LabelPreface = "l2tun utcp preface v1"

// Labels of invitations, docs/node.md 8.3: what the joining node shows, what the
// inviting node keeps of it, and the check at the end of a link. The others are of
// joins through a hub: what the joining node shows the hub, what the hub keeps of it,
// the secret of the two ends, and the keys made of it.
const (
	LabelInviteProof = "l2tun invitation v1 proof\x00"
	LabelInviteKept  = "l2tun invitation v1 kept\x00"
	LabelInviteCheck = "l2tun invitation v1 check\x00"

	LabelInviteHub     = "l2tun invitation v1 hub\x00"
	LabelInviteDeposit = "l2tun invitation v1 deposit\x00"
	LabelInviteSecret  = "l2tun invitation v1 secret\x00"
	LabelInviteRequest = "l2tun invitation v1 request"
	LabelInviteAnswer  = "l2tun invitation v1 answer"
)

// Labels of networks (spec/network.md): the network id and the hash of a document begin
// with one, so does the type of ML-DSA-65 lines in a signed note.
const (
	LabelNetworkID   = "l2tun network id v1\x00"
	LabelNetworkText = "l2tun network text v1\x00"
	LabelNoteMLDSA   = "l2tun note v1 ML-DSA-65\x00"
)

// Multicodec codes that give a key its type inside the hashes.
const (
	CodeEd25519 = 0xed
	CodeX25519  = 0xec
	CodeMLKEM   = 0x120c // ML-KEM-768 public key
	CodeMLDSA   = 0x1211 // ML-DSA-65 public key
	CodeBLAKE3  = 0x1e   // BLAKE3 multihash
)

// Protocol names that start the transcript of a handshake. Everything the two
// ends must agree on beforehand is in them.
const (
	NameFull  = "L2TUN-PQXDH-IK/1 full suite=0004 X25519 ML-KEM-768 Ed25519 ML-DSA-65 ChaCha20Poly1305 BLAKE3 HKDF-SHA256"
	NameShort = "L2TUN-PQXDH-IK/1 short suite=0004 X25519 ML-KEM-768 ChaCha20Poly1305 BLAKE3 HKDF-SHA256"
)

// Labels of mixKey, one for each secret that enters a key schedule: initiator
// or responder, ephemeral, static or prekey, k for a KEM.
const (
	MixES  = "es"  // X25519 initiator's ephemeral, responder's static
	MixKS  = "ks"  // ML-KEM to the responder's static key
	MixEP  = "ep"  // X25519 initiator's ephemeral, responder's prekey
	MixKP  = "kp"  // ML-KEM to the responder's prekey
	MixSP  = "sp"  // X25519 initiator's static, responder's prekey
	MixEE  = "ee"  // X25519 both ephemerals
	MixKE  = "ke"  // ML-KEM to the initiator's ephemeral key
	MixSE  = "se"  // X25519 initiator's static, responder's ephemeral
	MixKI  = "ki"  // ML-KEM to the initiator's static key
	MixPSK = "psk" // rekey or resumption secret, short mode
)

// Labels of Expand: the chaining key, the root of what follows, and one label
// for each key, tag and secret that is taken from that root.
const (
	LabelChain       = "l2tun/1 ck"
	LabelRoot        = "l2tun/1 root"
	LabelKeysReq     = "l2tun/1 KEYS_REQ"
	LabelKeys        = "l2tun/1 KEYS"
	LabelPrekeyID    = "l2tun/1 prekey id"
	LabelM1Keys      = "l2tun/1 M1 key set"
	LabelM1Params    = "l2tun/1 M1 params"
	LabelRefused     = "l2tun/1 refused"
	LabelM2          = "l2tun/1 M2"
	LabelM3          = "l2tun/1 M3"
	LabelM1r         = "l2tun/1 M1r"
	LabelM2r         = "l2tun/1 M2r"
	LabelM3r         = "l2tun/1 M3r"
	LabelDataI2R     = "l2tun/1 data i2r"
	LabelDataR2I     = "l2tun/1 data r2i"
	LabelRekey       = "l2tun/1 rekey"
	LabelResumeI2R   = "l2tun/1 resume i2r"
	LabelResumeR2I   = "l2tun/1 resume r2i"
	LabelResumeIDI2R = "l2tun/1 resume id i2r"
	LabelResumeIDR2I = "l2tun/1 resume id r2i"
)

// Labels in front of what Ed25519 and, with the last, ML-DSA-65 signs.
const (
	LabelSigR           = "l2tun/1 sig R"
	LabelSigI           = "l2tun/1 sig I"
	LabelSigPrekey      = "l2tun/1 sig prekey"
	LabelSigPrekeyMLDSA = "l2tun/1 sig prekey ML-DSA-65"
)
