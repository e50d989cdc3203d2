package did

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
)

// SeedSize is the size in bytes of the seed that an identity is derived from.
const SeedSize = 32

// An Identity is a node's long-term keys. It is immutable, safe for concurrent
// use, and prints as its DID whatever the verb. The secrets sit behind a
// function: fmt cannot call methods on unexported fields of a struct that holds
// an Identity, and it follows pointers there when the verb does not fit.
type Identity struct {
	did     DID
	public  *KeySet
	mldsa   *[mldsa65.PublicKeySize]byte
	secrets func() *secrets
}

type secrets struct {
	sign  ed25519.PrivateKey
	agree *x25519.PrivateKey
	kem   *mlkem768.PrivateKey
	mldsa [mldsa65.SeedSize]byte // the key itself is derived for each signature: one a day
	local [32]byte
}

// NewIdentity derives all keys from a seed of SeedSize uniformly random bytes,
// each with its own BLAKE3 derive-key context (SPEC "Identity"). The seed is
// not kept.
func NewIdentity(seed []byte) (*Identity, error) {
	if len(seed) != SeedSize {
		return nil, errSeedSize
	}
	agree := x25519.New((*[x25519.Size]byte)(derive(wire.ContextX25519, seed, x25519.Size)))
	kemPublic, kem := mlkem768.NewKeyFromSeed(derive(wire.ContextMLKEM, seed, mlkem768.KeySeedSize))
	s := &secrets{
		sign:  ed25519.NewKeyFromSeed(derive(wire.ContextEd25519, seed, ed25519.SeedSize)),
		agree: agree,
		kem:   kem,
		mldsa: [mldsa65.SeedSize]byte(derive(wire.ContextMLDSA, seed, mldsa65.SeedSize)),
		local: [32]byte(derive(wire.ContextLocal, seed, 32)),
	}
	k := &KeySet{S: [32]byte(s.sign.Public().(ed25519.PublicKey)), D: [32]byte(agree.Public())}
	kemPublic.Pack(k.K[:])
	signs, _ := mldsa65.NewKeyFromSeed(&s.mldsa)
	mldsa := [mldsa65.PublicKeySize]byte(signs.Bytes())
	k.Q = hashMLDSA(mldsa[:])
	return &Identity{did: k.DID(), public: k, mldsa: &mldsa, secrets: func() *secrets { return s }}, nil
}

func derive(context string, seed []byte, size int) []byte {
	out := make([]byte, size)
	blake3.DeriveKey(out, context, seed)
	return out
}

// DID names the identity.
func (id Identity) DID() DID { return id.did }

// KeySet is the public half. The caller must not change it.
func (id Identity) KeySet() *KeySet { return id.public }

// Sign returns the Ed25519 signature (64 bytes) over msg.
func (id Identity) Sign(msg []byte) []byte { return ed25519.Sign(id.secrets().sign, msg) }

// MLDSAKey is the ML-DSA-65 public key whose hash is in the key set, 1952 bytes.
// The caller must not change it.
func (id Identity) MLDSAKey() []byte { return id.mldsa[:] }

// SignMLDSA returns the ML-DSA-65 signature (3309 bytes) over msg, with an empty
// context, deterministic (FIPS 204 section 5.2). It derives the key each time.
func (id Identity) SignMLDSA(msg []byte) []byte {
	_, key := mldsa65.NewKeyFromSeed(&id.secrets().mldsa)
	sig := make([]byte, mldsa65.SignatureSize)
	if err := mldsa65.SignTo(key, msg, nil, false, sig); err != nil {
		panic("did: internal error: " + err.Error()) // only a long context fails
	}
	return sig
}

// DH is X25519 with a public key of 32 bytes. It refuses keys of low order.
func (id Identity) DH(public []byte) ([]byte, error) {
	return id.secrets().agree.Shared(public)
}

// Decapsulate opens an ML-KEM-768 ciphertext of 1088 bytes. A forged one gives
// a secret that nobody knows, not an error.
func (id Identity) Decapsulate(ct []byte) ([]byte, error) {
	if len(ct) != mlkem768.CiphertextSize {
		return nil, errCiphertext
	}
	ss := make([]byte, mlkem768.SharedKeySize)
	id.secrets().kem.DecapsulateTo(ss, ct)
	return ss, nil
}

// Secret is a local secret of this identity for label, the same in every run,
// for example QUIC's stateless reset key. Different labels are independent.
func (id Identity) Secret(label string) [32]byte {
	h := blake3.New(32, id.secrets().local[:])
	h.Write([]byte(label))
	return [32]byte(h.Sum(nil))
}

// String is the DID.
func (id Identity) String() string { return id.did.String() }

// GoString is the DID.
func (id Identity) GoString() string { return id.did.String() }

// LogValue is the DID.
func (id Identity) LogValue() slog.Value { return slog.StringValue(id.did.String()) }

// Format prints the DID for every verb.
func (id Identity) Format(f fmt.State, _ rune) { fmt.Fprint(f, id.did.String()) }
