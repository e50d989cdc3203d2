package did

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	prefix   = "did:morpheus:"
	maxText  = 64 // bytes; a DID has 60 or 61
	hashSize = 32
)

// A DID names a node: the digest of its key set. It is comparable and usable as
// a map key; the zero DID means none.
type DID struct{ digest [hashSize]byte }

// FromDigest returns the DID of a 32-byte key set digest, as it travels on the
// wire.
func FromDigest(d [32]byte) DID { return DID{d} }

// Parse reads the text form, "did:morpheus:z" and base58. It accepts nothing
// that String would write differently. Errors are ErrSyntax with the reason.
func Parse(s string) (DID, error) {
	id, ok := strings.CutPrefix(s, prefix)
	switch {
	case !ok:
		return DID{}, syntax("it must begin with %q", prefix)
	case len(s) > maxText:
		return DID{}, syntax("it is %d bytes long and a DID has at most 61", len(s))
	case strings.HasPrefix(id, "ez"):
		return DID{}, syntax(`the "ez…" form of the IOP Morpheus chain names a single Ed25519 key and cannot carry a session`)
	case !strings.HasPrefix(id, "z"):
		return DID{}, syntax(`after %q comes "z" and base58`, prefix)
	}
	d, err := decode(id[1:])
	if err == nil && d.String() != s {
		err = syntax("it is not written in its one canonical form")
	}
	if err != nil {
		return DID{}, err
	}
	return d, nil
}

func decode(b58 string) (DID, error) {
	raw, err := base58.Decode(b58)
	if err != nil {
		return DID{}, syntax("its last part is not base58")
	}
	digest, ok := bytes.CutPrefix(raw, []byte{wire.CodeBLAKE3, hashSize})
	if !ok || len(digest) != hashSize {
		return DID{}, syntax("it does not hold a BLAKE3 hash of 32 bytes; is a character missing?")
	}
	d := FromDigest([hashSize]byte(digest))
	if d.IsZero() {
		return DID{}, syntax("the all-zero digest names nobody")
	}
	return d, nil
}

func syntax(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSyntax, fmt.Sprintf(format, args...))
}

// String is the text form, 60 or 61 bytes; "none" for the zero DID.
func (d DID) String() string {
	if d.IsZero() {
		return "none"
	}
	return prefix + "z" + base58.Encode(append([]byte{wire.CodeBLAKE3, hashSize}, d.digest[:]...))
}

// Short is for people and logs: an ellipsis and the last 8 characters. Two DIDs
// may share it.
func (d DID) Short() string {
	s := d.String()
	if d.IsZero() {
		return s
	}
	return "…" + s[len(s)-8:]
}

// Digest is the 32 bytes that travel on the wire.
func (d DID) Digest() [32]byte { return d.digest }

// IsZero reports whether d names nobody.
func (d DID) IsZero() bool { return d == DID{} }

// Compare orders DIDs by their digests: -1, 0 or +1. When both nodes start at
// once the smaller one wins.
func (d DID) Compare(e DID) int { return bytes.Compare(d.digest[:], e.digest[:]) }

// MarshalText is String, and empty for the zero DID.
func (d DID) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return []byte{}, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText is Parse; empty text gives the zero DID.
func (d *DID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = DID{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err == nil {
		*d = parsed
	}
	return err
}

// Addr is the node's own overlay address: OverlayPrefix and the first 96 bits
// of the digest. Nobody can choose it but by searching for a key set. The zero
// DID has none.
func (d DID) Addr() netip.Addr {
	if d.IsZero() {
		return netip.Addr{}
	}
	a := OverlayPrefix().Addr().As16()
	copy(a[4:], d.digest[:12])
	return netip.AddrFrom16(a)
}

// OverlayPrefix is the network all Addr lie in, fd4c:3254::/32 ("L2T").
func OverlayPrefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x4c, 0x32, 0x54}), 32)
}
