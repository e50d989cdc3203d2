package symbolic

import (
	"fmt"
	"strings"
)

// An op is how a term is made.
type op string

const (
	opConst   op = "const"   // public bytes
	opAtom    op = "atom"    // a value of its own: key, coins, number
	opCat     op = "cat"     // parts in order, all of them readable
	opHash    op = "hash"    // BLAKE3 of the parts, or a digest
	opMixHash op = "mixHash" // BLAKE3(h || length || x)
	opExtract op = "extract" // of ck, secret, public parts; the label is text
	opExpand  op = "expand"  // of prk, or of root and h; the label is text
	opSeal    op = "seal"    // AEAD of key, plaintext, associated data
	opXPub    op = "xpub"    // X25519 public key
	opDH      op = "dh"      // X25519 of two private keys, in either order
	opEK      op = "ek"      // ML-KEM encapsulation key
	opCT      op = "ct"      // ML-KEM ciphertext of a private key and coins
	opSS      op = "ss"      // the secret in it
	opVK      op = "vk"      // Ed25519 public key
	opSig     op = "sig"     // Ed25519 signature by a private key over a term
	opVKQ     op = "vkq"     // ML-DSA-65 public key
	opSigQ    op = "sigq"    // ML-DSA-65 signature
	opSlot    op = "slot"    // what was sealed under a label; the runner fills it
)

// A term is interned: equal terms of one space are one pointer.
type term struct {
	op   op
	text string // name of an atom, bytes of a constant, label
	args []*term
	id   int // place in the space; arguments come first
}

// A space holds every term that was made, each once.
type space struct {
	all   []*term
	terms map[string]*term
}

func newSpace() *space { return &space{terms: map[string]*term{}} }

func (s *space) make(o op, text string, args ...*term) *term {
	var key strings.Builder
	fmt.Fprintf(&key, "%s %q", o, text)
	for _, a := range args {
		fmt.Fprintf(&key, " %d", a.id)
	}
	if t := s.terms[key.String()]; t != nil {
		return t
	}
	t := &term{o, text, args, len(s.all)}
	s.all = append(s.all, t)
	s.terms[key.String()] = t
	return t
}

func (s *space) atom(name string) *term    { return s.make(opAtom, name) }
func (s *space) bytes(b string) *term      { return s.make(opConst, b) }
func (s *space) cat(parts ...*term) *term  { return s.make(opCat, "", parts...) }
func (s *space) hash(parts ...*term) *term { return s.make(opHash, "", parts...) }
func (s *space) xpub(x *term) *term        { return s.make(opXPub, "", x) }
func (s *space) ek(k *term) *term          { return s.make(opEK, "", k) }
func (s *space) vk(k *term) *term          { return s.make(opVK, "", k) }
func (s *space) sig(k, m *term) *term      { return s.make(opSig, "", k, m) }

func (s *space) vkq(k *term) *term     { return s.make(opVKQ, "", k) }
func (s *space) sigq(k, m *term) *term { return s.make(opSigQ, "", k, m) }

// slot stands for the ciphertext that the run seals under label.
func (s *space) slot(label string) *term { return s.make(opSlot, label) }

// dh has its halves in one order, and the public keys it can be computed from
// are in the space too.
func (s *space) dh(x, y *term) *term {
	if x.id > y.id {
		x, y = y, x
	}
	s.xpub(x)
	s.xpub(y)
	return s.make(opDH, "", x, y)
}

func (s *space) ct(k, coins *term) *term {
	s.ek(k)
	return s.make(opCT, "", k, coins)
}

func (s *space) ss(k, coins *term) *term {
	s.ct(k, coins)
	return s.make(opSS, "", k, coins)
}
