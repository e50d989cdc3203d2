package quicnet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/quic-go/quic-go"
)

// randomID is how many bytes of a connection id are random; the rest shows to this
// node alone that the id is its own.
const randomID = 5

// connIDs makes connection ids that their node recognises: 39 random bits behind a
// clear bit (a set one is the mark of a record, wire.RecordID) and 24 bits of a MAC
// over them. A packet for an id of another make is dropped before QUIC sees it, so
// nobody without an id of ours can have a stateless reset sent, whose token would
// identify the node. SPEC 3.4. It implements quic.ConnectionIDGenerator.
type connIDs struct{ block cipher.Block }

// newConnIDs derives the MAC's key from that of stateless resets: with the same one
// a process recognises the ids of the one before it.
func newConnIDs(resetKey [32]byte) connIDs {
	m := hmac.New(sha256.New, resetKey[:])
	m.Write([]byte("l2tun quic connection ids"))
	block, err := aes.NewCipher(m.Sum(nil)[:16])
	if err != nil {
		panic("transport: internal error: " + err.Error())
	}
	return connIDs{block}
}

func (connIDs) ConnectionIDLen() int { return idLength }

func (c connIDs) GenerateConnectionID() (quic.ConnectionID, error) {
	var b [idLength]byte
	if _, err := rand.Read(b[:randomID]); err != nil {
		return quic.ConnectionID{}, err
	}
	b[0] &= 0x7F
	k := idCheck{ids: c}
	copy(b[randomID:], k.mac(b[:randomID]))
	return quic.ConnectionIDFromBytes(b[:]), nil
}

// An idCheck checks ids for one goroutine, without allocating.
type idCheck struct {
	ids     connIDs
	in, out [aes.BlockSize]byte
}

func (k *idCheck) mac(random []byte) []byte {
	copy(k.in[:], random)
	k.ids.block.Encrypt(k.out[:], k.in[:])
	return k.out[:idLength-randomID]
}

// own reports whether an id of 8 bytes is of this node's make.
func (k *idCheck) own(id []byte) bool {
	return subtle.ConstantTimeCompare(k.mac(id[:randomID]), id[randomID:idLength]) == 1
}
