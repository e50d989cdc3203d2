package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Keys are what a handshake yields for one epoch. The caller wipes its copy
// once New has returned. Printing Keys shows the number and the cipher only.
type Keys struct {
	Number     uint32
	Cipher     wire.Cipher
	Send, Recv [32]byte
	SendID     wire.RecordID // the peer's receive id: goes into the headers we write
	RecvID     wire.RecordID // ours
	Partial    bool          // the peer accepts partial checksums
	Circuits   bool          // both ends take circuits: the epoch has their number space
	Networks   bool          // both ends take the frames of networks
}

// valid also refuses equal keys for both directions: they would use every nonce
// twice and let records be reflected.
func (k *Keys) valid() bool {
	return k.Number != 0 && k.SendID.Valid() && k.RecvID.Valid() &&
		subtle.ConstantTimeCompare(k.Send[:], k.Recv[:]) == 0
}

func (k Keys) summary() string { return fmt.Sprintf("keys of epoch %d, %v", k.Number, k.Cipher) }

// Format implements fmt.Formatter for every verb, without the keys.
func (k Keys) Format(f fmt.State, _ rune) { io.WriteString(f, k.summary()) }

// LogValue implements slog.LogValuer, without the keys.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.summary()) }

// MarshalText implements encoding.TextMarshaler, without the keys.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.summary()), nil }

func newAEAD(c wire.Cipher, key []byte) (cipher.AEAD, error) {
	switch c {
	case wire.AES256GCM:
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	case wire.ChaCha20Poly1305:
		return chacha20poly1305.New(key)
	}
	return nil, ErrKeys
}
