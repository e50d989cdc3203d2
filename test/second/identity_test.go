package second

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"encoding/binary"
	"io"

	"filippo.io/mldsa"
	"github.com/zeebo/blake3"
)

// A node holds the private keys of SPEC 2.1 that take part in a handshake.
type node struct {
	s   ed25519.PrivateKey
	d   *ecdh.PrivateKey
	k   *mlkem.DecapsulationKey768
	q   *mldsa.PrivateKey
	set keySet
}

func derive(context string, seed []byte, n int) []byte {
	out := make([]byte, n)
	blake3.DeriveKey("l2tun 2026-11 identity v1 "+context, seed, out)
	return out
}

// newNode derives an identity.
func newNode(seed []byte) *node {
	n := &node{
		s: ed25519.NewKeyFromSeed(derive("Ed25519 seed", seed, 32)),
		d: must(ecdh.X25519().NewPrivateKey(derive("X25519 scalar", seed, 32))),
		k: must(mlkem.NewDecapsulationKey768(derive("ML-KEM-768 seed", seed, 64))),
		q: must(mldsa.NewPrivateKey(mldsa.MLDSA65(), derive("ML-DSA-65 seed", seed, 32))),
	}
	qh := hashQ(n.q.PublicKey().Bytes())
	n.set = join(n.s.Public().(ed25519.PublicKey), n.d.PublicKey().Bytes(), n.k.EncapsulationKey().Bytes(), qh)
	return n
}

// A keySet is the 1280 bytes of SPEC 2.2.
type keySet []byte

func (k keySet) s() []byte  { return k[:32] }
func (k keySet) d() []byte  { return k[32:64] }
func (k keySet) k() []byte  { return k[64:1248] }
func (k keySet) qh() []byte { return k[1248:1280] }

// typed is T(code, key), the code as its varint.
func typed(varint string, key []byte) []byte { return join([]byte(varint), le16(len(key)), key) }

// hashQ is bytes 1248-1279 of a key set.
func hashQ(q []byte) []byte {
	return hash([]byte("did:morpheus l2tun sigset v1\x00"), typed("\x91\x24", q))
}

// digest is what a DID spells (SPEC 2.3).
func (k keySet) digest() []byte {
	return hash([]byte("did:morpheus l2tun keyset v1\x00"),
		typed("\xed\x01", k.s()), typed("\xec\x01", k.d()), typed("\x8c\x24", k.k()), typed("\x1e", k.qh()))
}

// x25519 refuses what gives the zero secret.
func x25519(private *ecdh.PrivateKey, public []byte) ([]byte, error) {
	p, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, errForm
	}
	s, err := private.ECDH(p)
	if err != nil {
		return nil, errForm
	}
	return s, nil
}

// encapsulate draws coins: the only randomness of an ML-KEM ciphertext.
func encapsulate(to []byte, random io.Reader) (ct, ss []byte, err error) {
	ek, err := mlkem.NewEncapsulationKey768(to)
	if err != nil {
		return nil, nil, errForm
	}
	ss, ct, err = mlkemtest.Encapsulate768(ek, draw(random, 32))
	return ct, ss, err
}

// draw takes the next n bytes of a random source.
func draw(random io.Reader, n int) []byte {
	b := make([]byte, n)
	must(io.ReadFull(random, b))
	return b
}

func drawX25519(random io.Reader) *ecdh.PrivateKey {
	return must(ecdh.X25519().NewPrivateKey(draw(random, 32)))
}

func drawMLKEM(random io.Reader) *mlkem.DecapsulationKey768 {
	return must(mlkem.NewDecapsulationKey768(draw(random, 64)))
}

// A prekey is a responder's medium-term pair and its signed public half.
type prekey struct {
	x      *ecdh.PrivateKey
	k      *mlkem.DecapsulationKey768
	record prekeyRecord
	sigQ   []byte // by ML-DSA-65
}

// A prekeyRecord is the 1300 bytes of SPEC 5.1.
type prekeyRecord []byte

func (p prekeyRecord) id() uint32   { return binary.LittleEndian.Uint32(p) }
func (p prekeyRecord) px() []byte   { return p[20:52] }
func (p prekeyRecord) pk() []byte   { return p[52:1236] }
func (p prekeyRecord) body() []byte { return p[:1236] }
func (p prekeyRecord) sig() []byte  { return p[1236:] }

func signedPrekey(owner keySet, body []byte) []byte {
	return join([]byte("l2tun/1 sig prekey"), owner.digest(), body)
}

func signedPrekeyQ(owner keySet, body []byte) []byte {
	return join([]byte("l2tun/1 sig prekey ML-DSA-65"), owner.digest(), body)
}

func newPrekey(owner *node, random io.Reader, notBefore, notAfter uint64) *prekey {
	id := draw(random, 4)
	for bytes.Equal(id, make([]byte, 4)) {
		id = draw(random, 4)
	}
	p := &prekey{x: drawX25519(random), k: drawMLKEM(random)}
	dates := binary.LittleEndian.AppendUint64(nil, notBefore)
	dates = binary.LittleEndian.AppendUint64(dates, notAfter)
	body := join(id, dates, p.x.PublicKey().Bytes(), p.k.EncapsulationKey().Bytes())
	p.record = join(body, ed25519.Sign(owner.s, signedPrekey(owner.set, body)))
	p.sigQ = must(owner.q.SignDeterministic(signedPrekeyQ(owner.set, body), nil))
	return p
}
