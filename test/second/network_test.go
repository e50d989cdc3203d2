package second

import (
	"bytes"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"

	"filippo.io/mldsa"
)

// Networks, written from spec/network.md: bundles, ids and hashes, and the codes by which a
// bundle is refused.

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// didText is the text form of a digest (SPEC 2.3).
func didText(digest []byte) string {
	n, out := new(big.Int).SetBytes(join([]byte{0x1e, 0x20}, digest)), []byte(nil)
	for n.Sign() > 0 {
		digit := new(big.Int)
		n.DivMod(n, big.NewInt(58), digit)
		out = append(out, base58[digit.Int64()])
	}
	slices.Reverse(out)
	return "did:morpheus:z" + string(out)
}

func networkID(text string) []byte { return hash([]byte("l2tun network id v1\x00"), []byte(text)) }
func textHash(text string) []byte  { return hash([]byte("l2tun network text v1\x00"), []byte(text)) }

// signatureLine is a line of a note.
func signatureLine(name string, kind, sig []byte) string {
	h := sha256.Sum256(join([]byte(name+"\n"), kind))
	return "— " + name + " " + base64.StdEncoding.EncodeToString(join(h[:4], sig)) + "\n"
}

func kindEd25519(k keySet) []byte { return join([]byte{0x01}, k.s()) }
func kindMLDSA(q []byte) []byte   { return join([]byte{0xff}, []byte("l2tun note v1 ML-DSA-65\x00"), q) }

// bundle signs a text.
func bundle(text string, by ...*node) string {
	slices.SortFunc(by, func(a, b *node) int { return strings.Compare(didText(a.set.digest()), didText(b.set.digest())) })
	sigs, keys := "", ""
	for _, n := range by {
		name, q := didText(n.set.digest()), n.q.PublicKey().Bytes()
		sigs += signatureLine(name, kindEd25519(n.set), ed25519.Sign(n.s, []byte(text)))
		sigs += signatureLine(name, kindMLDSA(q), must(n.q.SignDeterministic([]byte(text), nil)))
		keys += "key " + base64.StdEncoding.EncodeToString(join(n.set, q)) + "\n"
	}
	return text + "\n" + sigs + "\n" + keys
}

// A noteSigner is one whose keys a bundle has.
type noteSigner struct {
	name string
	set  keySet
	q    []byte
	sigs [2][]byte
}

// readBundle returns who has signed, or the code for which it is refused.
func readBundle(b string) (text string, names []string, code string) {
	if len(b) > 2097152 {
		return "", nil, "too_large"
	}
	parts := strings.SplitN(b, "\n\n", 3)
	if len(parts) < 3 || !strings.HasSuffix(b, "\n") {
		return "", nil, "note_form"
	}
	text = parts[0] + "\n"
	lines, keyLines := strings.Split(parts[1], "\n"), strings.Split(strings.TrimSuffix(parts[2], "\n"), "\n")
	if len(lines) > 100 || len(keyLines) > 50 {
		return "", nil, "too_many_signatures"
	}
	for i, l := range lines {
		rest, ok := strings.CutPrefix(l, "— ")
		if !ok {
			return "", nil, "note_form"
		}
		lines[i] = rest
	}
	for _, c := range []byte(text + strings.Join(lines, "\n") + parts[2]) {
		if c != '\n' && (c < 0x20 || c > 0x7e) {
			return "", nil, "not_ascii"
		}
	}
	signers, code := noteKeys(keyLines)
	if code == "" {
		code = noteSignatures(signers, lines, text)
	}
	for _, s := range signers {
		names = append(names, s.name)
	}
	return text, names, code
}

func noteKeys(lines []string) (all []*noteSigner, code string) {
	for _, l := range lines {
		raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(l, "key "))
		if !strings.HasPrefix(l, "key ") || err != nil || len(raw) != 1280+1952 {
			return nil, "keys_form"
		}
		s := &noteSigner{set: keySet(raw[:1280]), q: raw[1280:]}
		if _, err := mlkem.NewEncapsulationKey768(s.set.k()); err != nil {
			return nil, "keys_form"
		}
		if s.name = didText(s.set.digest()); !bytes.Equal(hashQ(s.q), s.set.qh()) {
			return nil, "keys_not_committed"
		}
		if len(all) > 0 && all[len(all)-1].name >= s.name {
			return nil, "signature_order"
		}
		all = append(all, s)
	}
	return all, ""
}

func noteSignatures(all []*noteSigner, lines []string, text string) string {
	var order []int
	for _, l := range lines {
		name, text64, _ := strings.Cut(l, " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(text64)
		if err != nil || len(raw) < 5 || !strings.HasPrefix(name, "did:morpheus:z") {
			return "signature_form"
		}
		i := slices.IndexFunc(all, func(s *noteSigner) bool { return s.name == name })
		if i < 0 {
			return "keys_missing"
		}
		which := slices.IndexFunc([][]byte{kindEd25519(all[i].set), kindMLDSA(all[i].q)}, func(kind []byte) bool {
			h := sha256.Sum256(join([]byte(name+"\n"), kind))
			return bytes.Equal(h[:4], raw[:4])
		})
		switch {
		case which < 0:
			return "unknown_key_type"
		case all[i].sigs[which] != nil:
			return "signature_duplicate"
		case len(raw) != []int{68, 3313}[which]:
			return "signature_form"
		}
		all[i].sigs[which] = raw[4:]
		order = append(order, 2*i+which)
	}
	for _, s := range all {
		if s.sigs[0] == nil && s.sigs[1] == nil {
			return "keys_unused"
		}
		if s.sigs[0] == nil || s.sigs[1] == nil {
			return "signature_missing"
		}
	}
	if !slices.IsSorted(order) {
		return "signature_order"
	}
	for _, s := range all {
		key, err := mldsa.NewPublicKey(mldsa.MLDSA65(), s.q)
		if err != nil || !ed25519.Verify(s.set.s(), []byte(text), s.sigs[0]) || mldsa.Verify(key, []byte(text), s.sigs[1], nil) != nil {
			return "signature_invalid"
		}
	}
	return ""
}
