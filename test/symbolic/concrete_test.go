package symbolic

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"

	"filippo.io/mldsa"
	"github.com/zeebo/blake3"
	"golang.org/x/crypto/chacha20poly1305"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("symbolic: " + err.Error())
	}
	return v
}

// An evaluator turns terms into the bytes they stand for. atoms are private
// keys (X25519 32 bytes, ML-KEM and Ed25519 seeds), coins and plain values.
type evaluator struct {
	atoms map[string][]byte
	known map[*term][]byte
}

func (e *evaluator) bytes(t *term) []byte {
	if b, ok := e.known[t]; ok {
		return b
	}
	b := e.compute(t)
	e.known[t] = b
	return b
}

func (e *evaluator) all(terms []*term) (b [][]byte) {
	for _, t := range terms {
		b = append(b, e.bytes(t))
	}
	return b
}

func (e *evaluator) compute(t *term) []byte {
	switch t.op {
	case opConst:
		return []byte(t.text)
	case opAtom:
		b, ok := e.atoms[t.text]
		if !ok {
			panic("symbolic: no value of " + t.text)
		}
		return b
	case opXPub:
		return x25519(e.bytes(t.args[0])).PublicKey().Bytes()
	case opDH:
		return must(x25519(e.bytes(t.args[0])).ECDH(x25519(e.bytes(t.args[1])).PublicKey()))
	case opEK:
		return e.kem(t.args[0]).EncapsulationKey().Bytes()
	case opCT, opSS:
		ss, ct, err := mlkemtest.Encapsulate768(e.kem(t.args[0]).EncapsulationKey(), e.bytes(t.args[1]))
		must(ss, err)
		if t.op == opSS {
			return ss
		}
		return ct
	case opVK:
		return e.signer(t.args[0]).Public().(ed25519.PublicKey)
	case opSig:
		return ed25519.Sign(e.signer(t.args[0]), e.bytes(t.args[1]))
	case opVKQ:
		return e.signerQ(t.args[0]).PublicKey().Bytes()
	case opSigQ:
		return must(e.signerQ(t.args[0]).SignDeterministic(e.bytes(t.args[1]), nil))
	}
	return e.symmetric(t, e.all(t.args))
}

// symmetric computes what has no key pairs in it.
func (e *evaluator) symmetric(t *term, args [][]byte) []byte {
	switch t.op {
	case opCat:
		return bytes.Join(args, nil)
	case opHash:
		sum := blake3.Sum256(bytes.Join(args, nil))
		return sum[:]
	case opMixHash:
		sum := blake3.Sum256(bytes.Join([][]byte{args[0], []byte(le32(len(args[1]))), args[1]}, nil))
		return sum[:]
	case opExtract:
		ikm := bytes.Join([][]byte{[]byte(le16(len(t.text)) + t.text + le16(len(args[1]))), args[1], args[2]}, nil)
		return must(hkdf.Extract(sha256.New, ikm, args[0]))
	case opExpand:
		info := t.text
		if len(args) == 2 {
			info += string(args[1])
		}
		return must(hkdf.Expand(sha256.New, args[0], info, 32))
	case opSeal:
		return must(chacha20poly1305.New(args[0])).Seal(nil, make([]byte, 12), args[1], args[2])
	}
	panic("symbolic: internal error: no value of " + string(t.op))
}

func x25519(b []byte) *ecdh.PrivateKey { return must(ecdh.X25519().NewPrivateKey(b)) }

func (e *evaluator) kem(t *term) *mlkem.DecapsulationKey768 {
	return must(mlkem.NewDecapsulationKey768(e.bytes(t)))
}

func (e *evaluator) signer(t *term) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(e.bytes(t)) }

func (e *evaluator) signerQ(t *term) *mldsa.PrivateKey {
	return must(mldsa.NewPrivateKey(mldsa.MLDSA65(), e.bytes(t)))
}
