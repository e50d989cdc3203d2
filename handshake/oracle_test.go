package handshake

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
	"lukechampine.com/blake3"
)

// The oracle is SPEC "Handshake" written down a second time, in straight lines
// and with other means: ML-KEM of the standard library where the product uses
// circl, HKDF from HMAC, labels and offsets as literals. It shares nothing with
// the product but the random streams of helpers_test.go.

// oStep is the state of the key schedule after one step.
type oStep struct {
	Step string `json:"step"`
	H    hexes  `json:"h"`
	CK   hexes  `json:"ck"`
	Root hexes  `json:"root"`
}

type oracle struct {
	t           testing.TB
	ck, root, h []byte
	steps       []oStep
	taken       []oKey

	// lacks names the secret that whoever computes does not have: it enters as
	// zeros. Empty for the honest computation.
	lacks string
}

// oKey is a key taken from the schedule.
type oKey struct {
	Label string `json:"label"`
	Key   hexes  `json:"key"`
}

func (o *oracle) note(step string) {
	o.steps = append(o.steps, oStep{step, slices.Clone(o.h), slices.Clone(o.ck), slices.Clone(o.root)})
}

func (o *oracle) begin(name string) {
	sum := blake3.Sum256([]byte(name))
	o.h, o.ck, o.root = sum[:], sum[:], sum[:]
	o.note("name")
}

func (o *oracle) hash(step string, parts ...[]byte) {
	x := slices.Concat(parts...)
	n := uint32(len(x))
	sum := blake3.Sum256(slices.Concat(o.h, []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, x))
	o.h = sum[:]
	o.note("hash " + step)
}

func oHMAC(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

func (o *oracle) mix(label string, secret []byte, pub ...[]byte) {
	if label == o.lacks {
		secret = make([]byte, len(secret))
	}
	pubHash := blake3.Sum256(slices.Concat(pub...))
	prk := oHMAC(o.ck, []byte{byte(len(label)), 0}, []byte(label), []byte{byte(len(secret)), 0}, secret, pubHash[:])
	o.ck = oHMAC(prk, []byte("l2tun/1 ck\x01"))
	o.root = oHMAC(prk, []byte("l2tun/1 root\x01"))
	o.note("key " + label)
}

func (o *oracle) key(label string) []byte {
	k := oHMAC(o.root, []byte("l2tun/1 "+label), o.h, []byte{1})
	o.taken = append(o.taken, oKey{label, k})
	return k
}

func (o *oracle) seal(label string, plain []byte) []byte {
	aead, err := chacha20poly1305.New(o.key(label))
	if err != nil {
		o.t.Fatal(err)
	}
	c := aead.Seal(nil, make([]byte, 12), plain, o.h)
	o.hash("sealed "+label, c)
	return c
}

// oNode is the secrets of one node, derived without package did.
type oNode struct {
	sign   ed25519.PrivateKey
	x      *ecdh.PrivateKey
	kem    *mlkem.DecapsulationKey768
	q      []byte // hash of the ML-DSA key, taken as given
	digest []byte
}

func oX25519(t testing.TB, b []byte) *ecdh.PrivateKey {
	k, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func oMLKEM(t testing.TB, seed []byte) *mlkem.DecapsulationKey768 {
	k, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func oDerive(seed []byte, name string, size int) []byte {
	out := make([]byte, size)
	blake3.DeriveKey(out, "l2tun 2026-11 identity v1 "+name, seed)
	return out
}

func newONode(t testing.TB, seed []byte, q [32]byte, digest [32]byte) oNode {
	return oNode{
		sign: ed25519.NewKeyFromSeed(oDerive(seed, "Ed25519 seed", 32)),
		x:    oX25519(t, oDerive(seed, "X25519 scalar", 32)), kem: oMLKEM(t, oDerive(seed, "ML-KEM-768 seed", 64)),
		q: q[:], digest: digest[:],
	}
}

func (n oNode) keySet() []byte {
	return slices.Concat(n.sign.Public().(ed25519.PublicKey), n.x.PublicKey().Bytes(), n.kem.EncapsulationKey().Bytes(), n.q)
}

func oDraw(t testing.TB, r io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func (o *oracle) dh(k *ecdh.PrivateKey, p *ecdh.PublicKey) []byte {
	s, err := k.ECDH(p)
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

// encaps checks the standard library against itself on the way.
func (o *oracle) encaps(to *mlkem.DecapsulationKey768, coins []byte) (ct, ss []byte) {
	ss, ct, err := mlkemtest.Encapsulate768(to.EncapsulationKey(), coins)
	if err != nil {
		o.t.Fatal(err)
	}
	back, err := to.Decapsulate(ct)
	if err != nil || !slices.Equal(back, ss) {
		o.t.Fatal("standard library ML-KEM does not decapsulate what it made")
	}
	return ct, ss
}

func oHeader(typ, mode byte, low uint16, size int, high uint32) []byte {
	b := []byte{typ, 1, 2, 0, mode, 0, byte(low), byte(low >> 8)}
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	return binary.LittleEndian.AppendUint32(b, high)
}

// oParams is what the parameters of wire.Params must look like.
type oParams struct {
	RecordID    hexes  `json:"record_id"`
	Flags       byte   `json:"flags"`
	MTU         uint16 `json:"mtu"`
	Epoch       uint32 `json:"epoch"`
	Incarnation uint64 `json:"incarnation"`
}

func (p oParams) bytes() []byte {
	b := append(slices.Clone([]byte(p.RecordID)), p.Flags)
	b = binary.LittleEndian.AppendUint16(b, p.MTU)
	b = binary.LittleEndian.AppendUint32(b, p.Epoch)
	return binary.LittleEndian.AppendUint64(append(b, 0, 0), p.Incarnation)
}

// oOut is everything a handshake gives, in the order of the wire.
type oOut struct {
	Messages []oMessage `json:"messages"`
	Steps    []oStep    `json:"steps"`
	Keys     []oKey     `json:"keys"`
}

type oMessage struct {
	Name   string `json:"name"`
	BLAKE3 hexes  `json:"blake3"`
	Bytes  hexes  `json:"bytes"`
}

func (out *oOut) message(name string, parts ...[]byte) []byte {
	b := slices.Concat(parts...)
	sum := blake3.Sum256(b)
	out.Messages = append(out.Messages, oMessage{name, sum[:], b})
	return b
}

func (out oOut) find(name string) []byte {
	for _, m := range out.Messages {
		if m.Name == name {
			return m.Bytes
		}
	}
	return nil
}

func (out oOut) key(label string) Key {
	for _, k := range out.Keys {
		if k.Label == label {
			return Key(k.Key)
		}
	}
	return Key{}
}

// oFull is full mode from KEYS_REQ to the last secret.
func oFull(t testing.TB, i, r oNode, binding []byte, pi, pr oParams, from, to uint64, lacks string) oOut {
	o := &oracle{t: t, lacks: lacks}
	var out oOut

	out.message("KEYS_REQ", oHeader(1, 0, 0, 48, 0), r.digest)

	rnd := stream("prekey b")
	id := oDraw(t, rnd, 4)
	px, pk := oX25519(t, oDraw(t, rnd, 32)), oMLKEM(t, oDraw(t, rnd, 64))
	body := slices.Concat(id, binary.LittleEndian.AppendUint64(nil, from), binary.LittleEndian.AppendUint64(nil, to),
		px.PublicKey().Bytes(), pk.EncapsulationKey().Bytes())
	rec := slices.Concat(body, ed25519.Sign(r.sign, slices.Concat([]byte("l2tun/1 sig prekey"), r.digest, body)))
	out.message("KEYS", oHeader(2, 0, 0, 2596, 0), r.keySet(), rec)

	rnd = stream("initiator")
	sidI := oDraw(t, rnd, 8)
	ex, ek := oX25519(t, oDraw(t, rnd, 32)), oMLKEM(t, oDraw(t, rnd, 64))
	exPub, ekPub := ex.PublicKey().Bytes(), ek.EncapsulationKey().Bytes()
	hdr := oHeader(5, 0, 0, 4752, binary.LittleEndian.Uint32(id))

	o.begin("L2TUN-PQXDH-IK/1 full suite=0002 X25519 ML-KEM-768 Ed25519 ChaCha20Poly1305 BLAKE3 HKDF-SHA256")
	o.hash("prologue", []byte{1, 2, 0, 0}, binding, r.digest)
	o.hash("M1 head", hdr, sidI, exPub, ekPub)
	o.mix("es", o.dh(ex, r.x.PublicKey()), exPub, r.x.PublicKey().Bytes())
	ctS, ss := o.encaps(r.kem, oDraw(t, rnd, 32))
	o.hash("ct_s", ctS)
	o.mix("ks", ss, r.kem.EncapsulationKey().Bytes(), ctS)
	o.hash("prekey", rec)
	o.mix("ep", o.dh(ex, px.PublicKey()), exPub, px.PublicKey().Bytes())
	ctP, ss := o.encaps(pk, oDraw(t, rnd, 32))
	o.hash("ct_p", ctP)
	o.mix("kp", ss, pk.EncapsulationKey().Bytes(), ctP)
	c1 := o.seal("M1 key set", i.keySet())
	o.hash("didI", i.digest)
	o.mix("sp", o.dh(i.x, px.PublicKey()), i.x.PublicKey().Bytes(), px.PublicKey().Bytes())
	c2 := o.seal("M1 params", pi.bytes())
	out.message("M1", hdr, sidI, exPub, ekPub, ctS, ctP, c1, c2)

	refusal := &oracle{t: t, ck: o.ck, root: o.root, h: o.h}
	hdr = oHeader(8, 0, 0, 41, 0)
	refusal.hash("REFUSED head", hdr, sidI)
	out.message("REFUSED", hdr, sidI, refusal.seal("refused", []byte{1}))

	rnd = stream("responder")
	sidR := oDraw(t, rnd, 8)
	rx := oX25519(t, oDraw(t, rnd, 32))
	rxPub := rx.PublicKey().Bytes()
	hdr = oHeader(6, 0, 0, 2336, 0)
	o.hash("M2 head", hdr, sidR, rxPub)
	o.mix("ee", o.dh(rx, ex.PublicKey()), exPub, rxPub)
	ctE, ss := o.encaps(ek, oDraw(t, rnd, 32))
	o.hash("ct_e", ctE)
	o.mix("ke", ss, ekPub, ctE)
	o.mix("se", o.dh(rx, i.x.PublicKey()), i.x.PublicKey().Bytes(), rxPub)
	ctI, ss := o.encaps(i.kem, oDraw(t, rnd, 32))
	o.hash("ct_i", ctI)
	o.mix("ki", ss, i.kem.EncapsulationKey().Bytes(), ctI)
	sig := ed25519.Sign(r.sign, slices.Concat([]byte("l2tun/1 sig R"), o.h))
	out.message("M2", hdr, sidR, rxPub, ctE, ctI, o.seal("M2", slices.Concat(sig, pr.bytes())))
	o.key("data i2r")
	o.key("data r2i")

	hdr = oHeader(7, 0, 0, 112, 0)
	o.hash("M3 head", hdr, sidR)
	sig = ed25519.Sign(i.sign, slices.Concat([]byte("l2tun/1 sig I"), o.h))
	out.message("M3", hdr, sidR, o.seal("M3", append(sig, make([]byte, 8)...)))
	o.secrets()
	out.Steps, out.Keys = o.steps, o.taken
	return out
}

// secrets takes what later handshakes start from.
func (o *oracle) secrets() {
	for _, label := range []string{"rekey", "resume i2r", "resume r2i", "resume id i2r", "resume id r2i"} {
		o.key(label)
	}
}
