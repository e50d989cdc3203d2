package symbolic

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// stream is an endless random source that a name determines.
func stream(name string) io.Reader {
	h := blake3.New()
	must(h.WriteString(name))
	return h.Digest()
}

// A trial is one handshake of the product and the values of the model's atoms.
type trial struct {
	atoms    map[string][]byte
	mode     byte
	messages map[string][]byte
	keys     map[string][]byte
}

// draw gives atoms the next bytes of a random source, in the order of
// spec/vectors/README.md, in which the product draws them.
func (tr trial) draw(source string, what ...any) {
	r := stream(source)
	for n := 0; n < len(what); n += 2 {
		b := make([]byte, what[n+1].(int))
		must(io.ReadFull(r, b))
		tr.atoms[what[n].(string)] = b
	}
}

// node makes an identity and gives its private keys to the model.
func (tr trial) node(who string) *did.Identity {
	seed := make([]byte, did.SeedSize)
	must(io.ReadFull(stream("identity "+who), seed))
	derive := func(name, context string, size int) {
		b := make([]byte, size)
		blake3.DeriveKey("l2tun 2026-11 identity v1 "+context, seed, b)
		tr.atoms[name+"_"+who] = b
	}
	derive("S", "Ed25519 seed", 32)
	derive("D", "X25519 scalar", 32)
	derive("K", "ML-KEM-768 seed", 64)
	derive("Q", "ML-DSA-65 seed", 32)
	return must(did.NewIdentity(seed))
}

func paramsOf(n byte, epoch uint32) wire.Params {
	return wire.Params{RecordID: wire.MakeRecordID([7]byte{n}), AES: n == 1, MTU: 1400, Epoch: epoch, Incarnation: uint64(n)}
}

// results are the keys of an initiator.
func (tr trial) results(r *handshake.Result) {
	for label, k := range map[string]handshake.Key{"data i2r": r.Send, "data r2i": r.Recv, "rekey": r.Rekey,
		"resume i2r": r.ResumeOut.Secret, "resume r2i": r.ResumeIn.Secret} {
		tr.keys[label] = k[:]
	}
	tr.keys["resume id i2r"], tr.keys["resume id r2i"] = r.ResumeOut.ID[:], r.ResumeIn.ID[:]
}

type onePrekey struct{ *handshake.Prekey }

func (p onePrekey) Current() *handshake.Prekey       { return p.Prekey }
func (p onePrekey) ByID(id uint32) *handshake.Prekey { return p.Prekey }

func newTrial(mode byte, binding handshake.Binding, pi, pr wire.Params) trial {
	tr := trial{atoms: map[string][]byte{}, mode: mode, messages: map[string][]byte{}, keys: map[string][]byte{}}
	tr.atoms["cb"] = append([]byte{binding.Kind}, binding.Value[:]...)
	tr.atoms["params_I"], tr.atoms["params_R"] = pi.Append(nil), pr.Append(nil)
	return tr
}

// shown is M1 with the prekey's id as the transcript has it. On the wire it is hidden
// under the responder's DID (SPEC 5.1), which the model's attacker knows.
func shown(m1 []byte, responder *did.Identity) []byte {
	digest := responder.DID().Digest()
	prk := must(hkdf.Extract(sha256.New, m1[16:56], digest[:]))
	pad := must(hkdf.Expand(sha256.New, prk, "l2tun/1 prekey id", 32))
	m1 = bytes.Clone(m1)
	subtle.XORBytes(m1[12:16], m1[12:16], pad)
	return m1
}

func fullTrial(t *testing.T) trial {
	binding := handshake.Binding{Kind: 1, Value: [32]byte{7}}
	pi, pr := paramsOf(1, 1), paramsOf(2, 2)
	tr := newTrial(0, binding, pi, pr)
	a, b := tr.node("I"), tr.node("R")
	tr.draw("prekey", "prekey id", 4, "Px", 32, "Pk", 64)
	tr.atoms["dates"] = []byte{9, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0}
	tr.draw("initiator", "nonceI", 32, "sidI", 8, "ex", 32, "ek", 64, "cs", 32, "cp", 32)
	tr.draw("responder", "nonceR", 32, "nobody", 32, "sidR", 8, "rx", 32, "ce", 32, "ci", 32)
	tr.atoms["reason"] = []byte{byte(handshake.RefusedBusy)}

	prekey := must(handshake.NewPrekey(b, time.Unix(9, 0), time.Unix(10, 0), stream("prekey")))
	accept, refuse := fullEnds(t, a, b, binding, pi, prekey), fullEnds(t, a, b, binding, pi, prekey)
	tr.messages["KEYS"], tr.messages["M1"] = accept.keys, shown(accept.m1, b)
	tr.messages["REFUSED"] = must(refuse.r.Refuse(nil, handshake.RefusedBusy))
	m2, _, err := accept.r.Accept(nil, pr)
	m3, res, err2 := accept.i.Read(nil, must(m2, err))
	tr.messages["M2"], tr.messages["M3"] = m2, must(m3, err2)
	tr.results(res)
	return tr
}

// ends are a full handshake past M1.
type ends struct {
	i        *handshake.Initiator
	r        *handshake.Responder
	keys, m1 []byte
}

func fullEnds(t *testing.T, a, b *did.Identity, binding handshake.Binding, p wire.Params, prekey *handshake.Prekey) ends {
	t.Helper()
	i := must(handshake.NewInitiator(handshake.Config{Identity: a, Binding: binding, Rand: stream("initiator")}, b.DID(), nil, p))
	r := handshake.NewResponder(handshake.Config{Identity: b, Binding: binding, Rand: stream("responder")}, onePrekey{prekey})
	req := must(i.Start(nil))
	keys, _, err := r.Read(nil, req)
	m1, _, err2 := i.Read(nil, must(keys, err))
	if _, _, err := r.Read(nil, must(m1, err2)); err != nil {
		t.Fatal(err)
	}
	return ends{i, r, keysBody(b, req, keys), m1}
}

// keysBody opens KEYS, which everybody can who knows the DID: the attacker does.
func keysBody(of *did.Identity, req, keys []byte) []byte {
	digest := of.DID().Digest()
	prk := must(hkdf.Extract(sha256.New, slices.Concat(req[16:48], keys[16:48]), digest[:]))
	aead := must(chacha20poly1305.New(must(hkdf.Expand(sha256.New, prk, "l2tun/1 KEYS", 32))))
	return must(aead.Open(nil, make([]byte, 12), keys[48:], slices.Concat(req, keys[:48])))
}

func shortTrial(t *testing.T, mode byte) trial {
	t.Helper()
	id := handshake.ResumeID{1, 2, 3, 4, 5, 6}
	what, binding, low, high := handshake.Resumption(id), handshake.Binding{Kind: 1, Value: [32]byte{7}}, id[:2], id[2:]
	if mode == 1 {
		what, binding, low, high = handshake.Rotation(5, 258), handshake.Binding{}, []byte{2, 1}, []byte{5, 0, 0, 0}
	}
	pi, pr := paramsOf(1, 5), paramsOf(2, 5)
	tr := newTrial(mode, binding, pi, pr)
	a, b := tr.node("I"), tr.node("R")
	secret := handshake.Key{42}
	tr.atoms["psk"], tr.atoms["link low"], tr.atoms["link high"] = secret[:], low, high
	tr.draw("initiator", "ex", 32, "ek", 64)
	tr.draw("responder", "rx", 32, "ce", 32)

	i := must(handshake.NewShortInitiator(handshake.Config{Identity: a, Binding: binding, Rand: stream("initiator")}, b.KeySet(), what, secret, pi))
	r := handshake.NewShortResponder(handshake.Config{Identity: b, Binding: binding, Rand: stream("responder")},
		func(handshake.Short) (*did.KeySet, handshake.Key, bool) { return a.KeySet(), secret, true })
	tr.messages["M1r"] = must(i.Start(nil))
	if _, _, err := r.Read(nil, tr.messages["M1r"]); err != nil {
		t.Fatal(err)
	}
	m2r, _, err := r.Accept(nil, pr)
	m3r, res, err2 := i.Read(nil, must(m2r, err))
	tr.messages["M2r"], tr.messages["M3r"] = m2r, must(m3r, err2)
	tr.results(res)
	return tr
}

// difference compares the changed model with what the product did, in the order
// of the wire, and names the first thing that is not the same.
func (tr trial) difference(c change) string {
	p := newParties(newSpace())
	s := runMode(p, tr.mode, c)
	if tr.mode == 0 {
		s.messages["REFUSED"], s.messages["KEYS"] = runRefused(p, c).messages["REFUSED"], p.keys()
	}
	e := &evaluator{atoms: tr.atoms, known: map[*term][]byte{}}
	for _, name := range slices.Sorted(maps.Keys(tr.messages)) {
		if s.messages[name] == nil || !bytes.Equal(e.bytes(s.messages[name]), tr.messages[name]) {
			return name
		}
	}
	for label, want := range tr.keys {
		if s.keys[label] == nil || !bytes.Equal(e.bytes(s.keys[label])[:len(want)], want) {
			return "key " + label
		}
	}
	return ""
}

func trials(t *testing.T) map[string]trial {
	return map[string]trial{"full": fullTrial(t), "rotation": shortTrial(t, 1), "resumption": shortTrial(t, 2)}
}

// TestModelIsTheProduct: the terms of the model, with real keys, are the bytes
// that package handshake sends and the keys that it gives out.
func TestModelIsTheProduct(t *testing.T) {
	for name, tr := range trials(t) {
		if wrong := tr.difference(unchanged); wrong != "" {
			t.Errorf("%s: the model and the product differ in %s", name, wrong)
		}
		t.Logf("%s: %d messages and %d keys are equal", name, len(tr.messages), len(tr.keys))
	}
}
