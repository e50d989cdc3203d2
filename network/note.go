package network

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Limits that hold before anything is parsed.
const (
	MaxBundle         = 2 << 20
	MaxSignatureLines = 100
)

const (
	ed25519Size = 64
	mldsaSize   = 3309
	mldsaKey    = 1952
	hashSize    = 4 // of a key, in front of a signature

	typeEd25519 = 0x01 // C2SP signed-note
	typeOther   = 0xff // a label of our own follows

	signPrefix = "— "
	keyPrefix  = "key "
)

// A Bundle is a signed note with the keys of its signers (spec/network.md 10.1). Parse and
// Sign make sound ones: each signer has signed the text with both of his keys.
type Bundle struct {
	Text    string
	Signers []Signer // in the order of their DIDs' text
}

// A Signer is one who has signed, with keys and signatures.
type Signer struct {
	DID     did.DID
	Keys    *did.KeySet
	Q       []byte // ML-DSA-65 public key
	Ed25519 []byte
	MLDSA   []byte
}

// Parse reads a bundle and verifies all of its signatures. Errors are Refusals.
func Parse(b []byte) (*Bundle, error) {
	text, signatures, keys, err := cut(b)
	if err != nil {
		return nil, err
	}
	n := &Bundle{Text: text}
	first := strings.Count(text, "\n") + 2
	if n.Signers, err = readKeys(keys, first+len(signatures)+1); err != nil {
		return nil, err
	}
	if err := n.readSignatures(signatures, first); err != nil {
		return nil, err
	}
	return n, n.verify()
}

// cut checks sizes and bytes and separates the three parts.
func cut(b []byte) (text string, signatures, keys []string, err error) {
	if len(b) > MaxBundle {
		return "", nil, nil, refuse(TooLarge, "it has %d bytes, more than %d", len(b), MaxBundle)
	}
	if n := bytes.Count(b, []byte("\n"+signPrefix)); n > MaxSignatureLines {
		return "", nil, nil, refuse(TooManySignatures, "it has %d signatures, more than %d", n, MaxSignatureLines)
	}
	s := string(b)
	text, rest, ok := strings.Cut(s, "\n\n")
	signed, keyed, ok2 := strings.Cut(rest, "\n\n")
	if text += "\n"; !ok || !ok2 || !strings.HasSuffix(keyed, "\n") {
		return "", nil, nil, refuse(NoteForm, "it is not a text, signatures and keys with an empty line between")
	}
	signatures = strings.Split(signed, "\n")
	for i, line := range signatures {
		if signatures[i], ok = strings.CutPrefix(line, signPrefix); !ok {
			return "", nil, nil, refuse(NoteForm, "a signature does not begin with %q", signPrefix)
		}
	}
	keys = strings.Split(strings.TrimSuffix(keyed, "\n"), "\n")
	if len(keys) > MaxSignatureLines/2 {
		return "", nil, nil, refuse(TooManySignatures, "it has keys of %d signers, more than %d", len(keys), MaxSignatureLines/2)
	}
	if !printable(text) || !all(signatures, printable) || !all(keys, printable) {
		return "", nil, nil, refuse(NotASCII, "it has bytes that are no printable ASCII")
	}
	return text, signatures, keys, nil
}

func all(lines []string, f func(string) bool) bool {
	return !slices.ContainsFunc(lines, func(s string) bool { return !f(s) })
}

// printable allows ASCII from space to tilde, and ends of lines.
func printable(s string) bool {
	for _, c := range []byte(s) {
		if c != '\n' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// readKeys reads the lines of keys, which stand in the order of the DIDs' text.
func readKeys(lines []string, first int) (out []Signer, err error) {
	last := ""
	for i, line := range lines {
		text, ok := strings.CutPrefix(line, keyPrefix)
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || err != nil || len(raw) != did.KeySetSize+mldsaKey {
			return nil, refuseAt(first+i, KeysForm, "it is not %q and %d bytes in base64", keyPrefix, did.KeySetSize+mldsaKey)
		}
		set, err := did.ParseKeySet(raw[:did.KeySetSize])
		if err != nil {
			return nil, refuseAt(first+i, KeysForm, "%v", err)
		}
		s := Signer{DID: set.DID(), Keys: set, Q: raw[did.KeySetSize:]}
		if !set.CommitsTo(s.Q) {
			return nil, refuseAt(first+i, KeysNotOfSigner, "the ML-DSA-65 key is not that of %v", s.DID)
		}
		if name := s.DID.String(); name <= last {
			return nil, refuseAt(first+i, SignatureOrder, "keys stand once each, in the order of their DIDs")
		} else {
			last = name
		}
		out = append(out, s)
	}
	return out, nil
}

// readSignatures gives each signer his two signatures. What is wrong with a line comes
// before what is wrong with all of them.
func (n *Bundle) readSignatures(lines []string, first int) error {
	var order []*[]byte
	for i, line := range lines {
		sig, place, err := n.readSignature(line)
		if err != nil {
			err.(*Refusal).Line = first + i
			return err
		}
		*place = sig
		order = append(order, place)
	}
	var want []*[]byte
	for i := range n.Signers {
		s := &n.Signers[i]
		switch {
		case s.Ed25519 == nil && s.MLDSA == nil:
			return refuse(KeysUnused, "%v has keys here and has not signed", s.DID)
		case s.Ed25519 == nil || s.MLDSA == nil:
			return refuse(SignatureMissing, "%v has signed with one of two keys", s.DID)
		}
		want = append(want, &s.Ed25519, &s.MLDSA)
	}
	if !slices.Equal(order, want) {
		return refuse(SignatureOrder, "signatures stand in the order of the DIDs, Ed25519 first")
	}
	return nil
}

// readSignature reads "DID BASE64" and finds the place that it belongs to.
func (n *Bundle) readSignature(line string) (sig []byte, place *[]byte, err error) {
	name, text, ok := strings.Cut(line, " ")
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if _, bad := did.Parse(name); !ok || err != nil || bad != nil || len(raw) <= hashSize {
		return nil, nil, refuse(SignatureForm, "it is not a DID and a signature in base64")
	}
	i := slices.IndexFunc(n.Signers, func(s Signer) bool { return s.DID.String() == name })
	if i < 0 {
		return nil, nil, refuse(KeysMissing, "the keys of %s are not here", name)
	}
	s := &n.Signers[i]
	hash, sig := [hashSize]byte(raw), raw[hashSize:]
	size := ed25519Size
	switch hash {
	case keyHash(name, typeEd25519, "", s.Keys.S[:]):
		place = &s.Ed25519
	case keyHash(name, typeOther, wire.LabelNoteMLDSA, s.Q):
		place, size = &s.MLDSA, mldsaSize
	default:
		return nil, nil, refuse(UnknownKeyType, "it is by a key that %s does not have", name)
	}
	switch {
	case *place != nil:
		return nil, nil, refuse(SignatureDuplicate, "%s has signed twice with one key", name)
	case len(sig) != size:
		return nil, nil, refuse(SignatureForm, "the signature has %d bytes instead of %d", len(sig), size)
	}
	return sig, place, nil
}

// keyHash is what C2SP signed-note puts in front of a signature: the beginning of
// SHA-256(name || "\n" || type || label || key).
func keyHash(name string, kind byte, label string, key []byte) [hashSize]byte {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n', kind})
	h.Write([]byte(label))
	h.Write(key)
	return [hashSize]byte(h.Sum(nil))
}

func (n *Bundle) verify() error {
	text := []byte(n.Text)
	for _, s := range n.Signers {
		if !s.Keys.Verify(text, s.Ed25519) {
			return refuse(SignatureInvalid, "the Ed25519 signature of %v is not of this text", s.DID)
		}
		if !s.Keys.VerifyMLDSA(s.Q, text, s.MLDSA) {
			return refuse(SignatureInvalid, "the ML-DSA-65 signature of %v is not of this text", s.DID)
		}
	}
	return nil
}

// SignedBy reports whether d has signed.
func (n *Bundle) SignedBy(d did.DID) bool {
	return slices.ContainsFunc(n.Signers, func(s Signer) bool { return s.DID == d })
}

// Append appends the bundle's bytes to b.
func (n *Bundle) Append(b []byte) []byte {
	b = append(n.AppendNote(b), '\n')
	for _, s := range n.Signers {
		b = append(b, keyPrefix...)
		b = base64.StdEncoding.AppendEncode(b, append(s.Keys.Append(nil), s.Q...))
		b = append(b, '\n')
	}
	return b
}

// AppendNote appends the note alone, which other programs read too: a C2SP signed note.
func (n *Bundle) AppendNote(b []byte) []byte {
	b = append(append(b, n.Text...), '\n')
	for _, s := range n.Signers {
		name := s.DID.String()
		b = appendSignature(b, name, keyHash(name, typeEd25519, "", s.Keys.S[:]), s.Ed25519)
		b = appendSignature(b, name, keyHash(name, typeOther, wire.LabelNoteMLDSA, s.Q), s.MLDSA)
	}
	return b
}

func appendSignature(b []byte, name string, hash [hashSize]byte, sig []byte) []byte {
	b = append(append(append(b, signPrefix...), name...), ' ')
	b = base64.StdEncoding.AppendEncode(b, append(hash[:], sig...))
	return append(b, '\n')
}

// Sign makes a bundle of a text and one signer or more. A document's String is such a text.
func Sign(text string, by ...*did.Identity) *Bundle {
	n := &Bundle{Text: text}
	for _, id := range by {
		n.add(Signer{DID: id.DID(), Keys: id.KeySet(), Q: id.MLDSAKey(), Ed25519: id.Sign([]byte(text)), MLDSA: id.SignMLDSA([]byte(text))})
	}
	return n
}

// Merge adds the signers of another bundle of the same text; false for another text.
func (n *Bundle) Merge(o *Bundle) bool {
	if n.Text != o.Text {
		return false
	}
	for _, s := range o.Signers {
		n.add(s)
	}
	return true
}

// add puts a signer in his place. Signatures are deterministic: a second one is the same.
func (n *Bundle) add(s Signer) {
	at, there := slices.BinarySearchFunc(n.Signers, s.DID.String(), func(e Signer, name string) int { return strings.Compare(e.DID.String(), name) })
	if !there {
		n.Signers = slices.Insert(n.Signers, at, s)
	}
}
