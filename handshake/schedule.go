package handshake

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A schedule is transcript and key schedule of one handshake (SPEC "Key
// schedule"). h hashes all that was said, ck chains all secrets, and root is
// what keys are expanded from: ck is used as a salt only and root as a PRK only.
// Every key is taken under its own label and the h of that moment, and seals
// once, so the nonce is zero.
type schedule struct {
	ck, root, h Key
	hash        *blake3.Hasher // what is hashed is public; kept because it is 3 KiB, and used 40 times
}

// newSchedule: h = ck = root = BLAKE3(name).
func newSchedule(name string) schedule {
	h := Key(blake3.Sum256([]byte(name)))
	return schedule{ck: h, root: h, h: h, hash: blake3.New(len(h), nil)}
}

// mixHash: h = BLAKE3(h || le32(len x) || x).
func (s *schedule) mixHash(x []byte) {
	s.hash.Reset()
	s.hash.Write(s.h[:])
	s.hash.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(x))))
	s.write(x)
	s.hash.Sum(s.h[:0])
}

// write hashes x in pieces: for more than a chunk of BLAKE3 at once the library
// starts goroutines, which cost more than they save here.
func (s *schedule) write(x []byte) {
	const chunk = 1024
	for ; len(x) > chunk; x = x[chunk:] {
		s.hash.Write(x[:chunk])
	}
	s.hash.Write(x)
}

// mixKey puts a secret into the chain together with the public values it came
// from, so that no property of the KEM beyond secrecy is needed:
//
//	prk  = Extract(salt = ck, le16(len l) || l || le16(len s) || s || BLAKE3(pub))
//	ck   = Expand(prk, LabelChain, 32)
//	root = Expand(prk, LabelRoot, 32)
//
// It erases the secret.
func (s *schedule) mixKey(label string, secret []byte, pub ...[]byte) {
	s.hash.Reset()
	for _, p := range pub {
		s.write(p)
	}
	ikm := append(le16(len(label)), label...)
	ikm = append(append(ikm, le16(len(secret))...), secret...)
	ikm = s.hash.Sum(ikm)
	prk, err := hkdf.Extract(sha256.New, ikm, s.ck[:])
	must(err)
	s.ck = expand(prk, []byte(wire.LabelChain))
	s.root = expand(prk, []byte(wire.LabelRoot))
	clear(secret)
	clear(ikm)
	clear(prk)
}

// key: Expand(root, label || h, 32).
func (s *schedule) key(label string) Key {
	return expand(s.root[:], append([]byte(label), s.h[:]...))
}

// seal appends AEAD(key(label), nonce 0, plain, ad = h) to dst, which may be an
// empty slice over the place in a message, and hashes the ciphertext.
func (s *schedule) seal(dst []byte, label string, plain []byte) {
	k := s.key(label)
	aead, err := chacha20poly1305.New(k[:])
	must(err)
	c := aead.Seal(dst, make([]byte, chacha20poly1305.NonceSize), plain, s.h[:])
	s.mixHash(c[len(dst):])
	clear(k[:])
}

// open undoes seal and hashes the ciphertext; the plaintext is a fresh slice.
func (s *schedule) open(label string, c []byte) ([]byte, error) {
	k := s.key(label)
	defer clear(k[:])
	aead, err := chacha20poly1305.New(k[:])
	must(err)
	plain, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), c, s.h[:])
	if err != nil {
		return nil, ErrDecrypt
	}
	s.mixHash(c)
	return plain, nil
}

// signed is what Ed25519 signs: label || h.
func (s *schedule) signed(label string) []byte { return append([]byte(label), s.h[:]...) }

func (s *schedule) erase() { *s = schedule{} }

func expand(prk, info []byte) Key {
	out, err := hkdf.Expand(sha256.New, prk, string(info), len(Key{}))
	must(err)
	defer clear(out)
	return Key(out)
}

func le16(n int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(n)) }

// must is for calls that fail only on sizes that are constants here.
func must(err error) {
	if err != nil {
		panic("handshake: internal error: " + err.Error())
	}
}
