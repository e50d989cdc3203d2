package handshake

import (
	"fmt"
	"log/slog"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Key is 32 secret bytes. It prints as "[key]" whatever the verb or encoder.
type Key [32]byte

const keyText = "[key]"

// String is "[key]".
func (Key) String() string { return keyText }

// GoString is "[key]".
func (Key) GoString() string { return keyText }

// Format prints "[key]" for every verb.
func (Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, keyText) }

// LogValue is "[key]".
func (Key) LogValue() slog.Value { return slog.StringValue(keyText) }

// MarshalText is "[key]": a Key is not encoded by accident.
func (Key) MarshalText() ([]byte, error) { return []byte(keyText), nil }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k == Key{} }

// A ResumeID names a resumption secret; it may be seen by anybody.
type ResumeID = wire.ResumeID

// A Resume is a resumption secret and the name under which the responder of the
// next handshake finds it. It serves one short handshake.
type Resume struct {
	ID     ResumeID
	Secret Key
}

// A Binding ties a handshake to the connection that carries it. On QUIC the
// value is the TLS exporter; Kind 0 with a zero Value means none.
type Binding struct {
	Kind  byte
	Value [32]byte
}

// append appends the 33 bytes that are hashed.
func (b Binding) append(to []byte) []byte { return append(append(to, b.Kind), b.Value[:]...) }
