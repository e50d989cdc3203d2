package invite

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// saltSize makes each key that seals one of a kind; SPEC 6.12.
const saltSize = 16

// errSeal: what was sealed is not for this invitation, these nodes or this request.
var errSeal = errors.New("invite: what is sealed does not open")

// A Secret is what both ends of a link have and no hub: a hash of the whole link,
// token included.
type Secret [32]byte

// Secret is the one of the link.
func (l Link) Secret() Secret { return hash(wire.LabelInviteSecret, l.body()) }

// HubProof is what the joining node shows to a hub: that one learns nothing from it
// that another hub, or the inviting node, would take.
func (l Link) HubProof(hub did.DID) [32]byte {
	digest := hub.Digest()
	return hash(wire.LabelInviteHub, string(digest[:])+l.body())
}

// Through says whose join a sealed request is, and which hub may pass it on.
type Through struct{ Joining, Inviting, Hub did.DID }

// key is the key of one request, or one answer. Each end is in it, so that a hub can
// replace none.
func (t Through) key(s Secret, label string, salts ...[]byte) []byte {
	var salt []byte
	for _, x := range salts {
		salt = append(salt, x...)
	}
	j, i, h := t.Joining.Digest(), t.Inviting.Digest(), t.Hub.Digest()
	key, err := hkdf.Key(sha256.New, s[:], salt, label+string(j[:])+string(i[:])+string(h[:]), chacha20poly1305.KeySize)
	if err != nil {
		panic("invite: internal error: " + err.Error()) // lengths are constant
	}
	return key
}

// SealRequest seals what the joining node asks: salt ‖ ciphertext.
func (t Through) SealRequest(s Secret, request []byte) []byte {
	salt := newSalt()
	return sealWith(t.key(s, wire.LabelInviteRequest, salt), salt, request)
}

// OpenRequest opens what SealRequest made for the same three nodes and link.
func (t Through) OpenRequest(s Secret, sealed []byte) ([]byte, error) {
	if len(sealed) < saltSize {
		return nil, errSeal
	}
	return openWith(t.key(s, wire.LabelInviteRequest, sealed[:saltSize]), sealed)
}

// SealAnswer seals the answer to a sealed request, whose salt is in the key: an answer
// to another request does not open.
func (t Through) SealAnswer(s Secret, request, answer []byte) []byte {
	salt := newSalt()
	return sealWith(t.key(s, wire.LabelInviteAnswer, request[:saltSize], salt), salt, answer)
}

// OpenAnswer opens the answer to a sealed request.
func (t Through) OpenAnswer(s Secret, request, sealed []byte) ([]byte, error) {
	if len(sealed) < saltSize || len(request) < saltSize {
		return nil, errSeal
	}
	return openWith(t.key(s, wire.LabelInviteAnswer, request[:saltSize], sealed[:saltSize]), sealed)
}

func newSalt() []byte {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return salt
}

// sealWith appends to salt. The key is good for this one plaintext: so the nonce is zero.
func sealWith(key, salt, plain []byte) []byte {
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		panic("invite: internal error: " + err.Error())
	}
	return aead.Seal(salt, make([]byte, chacha20poly1305.NonceSize), plain, nil)
}

func openWith(key, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		panic("invite: internal error: " + err.Error())
	}
	plain, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), sealed[saltSize:], nil)
	if err != nil {
		return nil, errSeal
	}
	return plain, nil
}

// keepSecret is the secret as the file of invitations has it: only the node's own key
// opens it, so that reading the file lets nobody join.
func keepSecret(id *did.Identity, s Secret) []byte {
	salt := newSalt()
	return sealWith(fileKey(id, salt), salt, s[:])
}

// secretOf opens what keepSecret made.
func secretOf(id *did.Identity, kept []byte) (Secret, error) {
	if len(kept) < saltSize {
		return Secret{}, errSeal
	}
	plain, err := openWith(fileKey(id, kept[:saltSize]), kept)
	if err != nil || len(plain) != len(Secret{}) {
		return Secret{}, errSeal
	}
	return Secret(plain), nil
}

func fileKey(id *did.Identity, salt []byte) []byte {
	own := id.Secret("l2tun invitation v1 file")
	key, err := hkdf.Key(sha256.New, own[:], salt, "", chacha20poly1305.KeySize)
	if err != nil {
		panic("invite: internal error: " + err.Error())
	}
	return key
}
