package network

import (
	"encoding/hex"

	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Hash is 32 bytes of BLAKE3 over the text of a document, never over signatures: the id
// of a network, or which of two documents is meant.
type Hash [32]byte

// String is lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the hash of nothing.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads what String writes, and nothing else.
func ParseHash(s string) (h Hash, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return Hash{}, false
	}
	h = Hash(b)
	return h, h.String() == s && !h.IsZero()
}

// ID is the id of the network whose head 1 has this text.
func ID(text string) Hash { return labelled(wire.LabelNetworkID, text) }

// TextHash is the hash of a document's text.
func TextHash(text string) Hash { return labelled(wire.LabelNetworkText, text) }

func labelled(label, text string) Hash {
	h := blake3.New(32, nil)
	h.Write([]byte(label))
	h.Write([]byte(text))
	return Hash(h.Sum(nil))
}
