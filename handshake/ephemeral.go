package handshake

import (
	"crypto/rand"
	"io"
	"time"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
)

// A Config is what every machine needs. The zero Rand is crypto/rand.Reader.
type Config struct {
	Identity *did.Identity
	Binding  Binding
	Rand     io.Reader

	// Now is the time, if this node's clock is known to be right; else zero, and
	// no dates of prekeys are looked at.
	Now time.Time
}

func (c Config) random(b []byte) error {
	r := c.Rand
	if r == nil {
		r = rand.Reader
	}
	if _, err := io.ReadFull(r, b); err != nil {
		return randomFailed(err)
	}
	return nil
}

// newX25519 draws 32 bytes.
func (c Config) newX25519() (*x25519.PrivateKey, error) {
	var seed [x25519.Size]byte
	defer clear(seed[:])
	if err := c.random(seed[:]); err != nil {
		return nil, err
	}
	return x25519.New(&seed), nil
}

// newMLKEM draws 64 bytes and writes the public key to public.
func (c Config) newMLKEM(public []byte) (*mlkem768.PrivateKey, error) {
	var seed [mlkem768.KeySeedSize]byte
	defer clear(seed[:])
	if err := c.random(seed[:]); err != nil {
		return nil, err
	}
	pk, sk := mlkem768.NewKeyFromSeed(seed[:])
	pk.Pack(public)
	return sk, nil
}

// encapsulate draws 32 bytes, writes the ciphertext to ct and returns the
// secret. A public key that fails the FIPS 203 check is malformed.
func (c Config) encapsulate(ct, public []byte) ([]byte, error) {
	var pk mlkem768.PublicKey
	if err := pk.Unpack(public); err != nil {
		return nil, ErrMalformed
	}
	var coins [mlkem768.EncapsulationSeedSize]byte
	defer clear(coins[:])
	if err := c.random(coins[:]); err != nil {
		return nil, err
	}
	ss := make([]byte, mlkem768.SharedKeySize)
	pk.EncapsulateTo(ct, ss, coins[:])
	return ss, nil
}

// encapsulateTo is encapsulate for a static key.
func (c Config) encapsulateTo(ct []byte, k *did.KeySet) ([]byte, error) {
	var coins [32]byte
	defer clear(coins[:])
	if err := c.random(coins[:]); err != nil {
		return nil, err
	}
	made, ss := k.Encapsulate(&coins)
	copy(ct, made)
	return ss, nil
}

func decapsulate(sk *mlkem768.PrivateKey, ct []byte) []byte {
	ss := make([]byte, mlkem768.SharedKeySize)
	sk.DecapsulateTo(ss, ct)
	return ss
}

// dh is X25519; a public key of low order is malformed.
func dh(private *x25519.PrivateKey, public []byte) ([]byte, error) {
	ss, err := private.Shared(public)
	if err != nil {
		return nil, ErrMalformed
	}
	return ss, nil
}

// dhStatic is dh with the identity's own key.
func (c Config) dhStatic(public []byte) ([]byte, error) {
	ss, err := c.Identity.DH(public)
	if err != nil {
		return nil, ErrMalformed
	}
	return ss, nil
}

// publicBytes is the encapsulation key of sk.
func publicBytes(sk *mlkem768.PrivateKey) []byte {
	b := make([]byte, mlkem768.PublicKeySize)
	sk.Public().(*mlkem768.PublicKey).Pack(b)
	return b
}
