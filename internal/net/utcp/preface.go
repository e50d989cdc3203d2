package utcp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A connection begins with a preface that looks random (SPEC 3.6):
//
//	bytes 0-15   nonce
//	bytes 16-31  HMAC-SHA-256(wire.LabelPreface, nonce), first half
//
// It keeps scanners of other protocols out and gives no constant bytes to search
// for. It is no secret: who knows this page can make one.
const (
	prefaceNonce = 16
	prefaceSize  = 32
)

// oldPreface is that of version 0.1.0, which is told its version by the handshake.
const oldPreface = "l2utcp\x00\x01"

// newPreface draws one.
func newPreface() []byte {
	var nonce [prefaceNonce]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return appendPreface(nil, nonce[:])
}

func appendPreface(b, nonce []byte) []byte {
	mac := hmac.New(sha256.New, []byte(wire.LabelPreface))
	mac.Write(nonce)
	b = append(b, nonce...)
	return append(b, mac.Sum(nil)[:prefaceSize-prefaceNonce]...)
}

// readPreface takes the preface off the start of b; 0 bytes: there is more to come.
func readPreface(b []byte) (used int, err error) {
	switch {
	case len(b) >= len(oldPreface) && string(b[:len(oldPreface)]) == oldPreface:
		return len(oldPreface), nil
	case len(b) < prefaceSize:
		return 0, nil
	case !hmac.Equal(b[:prefaceSize], appendPreface(nil, b[:prefaceNonce])):
		return 0, fmt.Errorf("%w: it does not begin as it should", cause.ErrProtocol)
	}
	return prefaceSize, nil
}
