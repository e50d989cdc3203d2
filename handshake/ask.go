package handshake

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The request for a key set and the answer are sealed under the DID itself, which
// both ends know and nobody else has to (SPEC 5.1 "KEYS_REQ and KEYS"):
//
//	proof = Expand(Extract(salt = digest, nonceI), LabelKeysReq, 32)
//	key   = Expand(Extract(salt = digest, nonceI || nonceR), LabelKeys, 32)
//
// Who does not know the DID learns nothing from either, and every node answers
// every request alike, so that a recorded request finds nobody.

// askKeys writes a KEYS_REQ for the keys of peer.
func (c Config) askKeys(m *wire.KeysReq, peer did.DID) error {
	wire.HandshakeHeader{Type: wire.MsgKeysReq}.Put(m[:])
	if err := c.random(m.Nonce()); err != nil {
		return err
	}
	proof := underDID(peer.Digest(), wire.LabelKeysReq, m.Nonce())
	copy(m.Proof(), proof[:])
	return nil
}

// answerKeys writes the KEYS for a request. One that is not for this node gets the
// same, sealed under a DID that nobody has: both take the same steps and the same time.
func (c Config) answerKeys(m *wire.Keys, q *wire.KeysReq, body []byte) error {
	wire.HandshakeHeader{Type: wire.MsgKeys}.Put(m[:])
	var under [wire.DigestSize]byte
	if err := c.random(m.Nonce()); err != nil {
		return err
	}
	if err := c.random(under[:]); err != nil {
		return err
	}
	own := c.Identity.DID().Digest()
	proof := underDID(own, wire.LabelKeysReq, q.Nonce())
	subtle.ConstantTimeCopy(subtle.ConstantTimeCompare(proof[:], q.Proof()), under[:], own[:])
	key := underDID(under, wire.LabelKeys, q.Nonce(), m.Nonce())
	aead, err := chacha20poly1305.New(key[:])
	must(err)
	aead.Seal(m.Sealed()[:0], make([]byte, chacha20poly1305.NonceSize), body, keysContext(m, q))
	return nil
}

// openKeys opens the answer of peer to a request. Another node's does not open.
func openKeys(m *wire.Keys, q *wire.KeysReq, peer did.DID) (*wire.KeysBody, error) {
	key := underDID(peer.Digest(), wire.LabelKeys, q.Nonce(), m.Nonce())
	aead, err := chacha20poly1305.New(key[:])
	must(err)
	body, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), m.Sealed(), keysContext(m, q))
	if err != nil {
		return nil, ErrNotMe
	}
	return (*wire.KeysBody)(body), nil
}

// keysContext is what KEYS is sealed with: the whole request, and its own head.
func keysContext(m *wire.Keys, q *wire.KeysReq) []byte { return append(q[:], m.Head()...) }

// hidePrekeyID puts the id of M1's prekey, which is the same for all who call a node
// for a day, under the responder's DID, or takes it out again. The transcript has
// it as it is.
//
//	id XOR Expand(Extract(salt = digest, sidI || Ex), LabelPrekeyID, 32)[:4]
func hidePrekeyID(m *wire.M1, responder did.DID) {
	pad := underDID(responder.Digest(), wire.LabelPrekeyID, m.SID(), m.Ex())
	subtle.XORBytes(m.PrekeyID(), m.PrekeyID(), pad[:])
}

// underDID: Expand(Extract(salt = digest, nonces), label, 32).
func underDID(digest [wire.DigestSize]byte, label string, nonces ...[]byte) Key {
	var ikm []byte
	for _, n := range nonces {
		ikm = append(ikm, n...)
	}
	prk, err := hkdf.Extract(sha256.New, ikm, digest[:])
	must(err)
	return expand(prk, []byte(label))
}
