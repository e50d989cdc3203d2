package second

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha256"
	"io"

	"filippo.io/mldsa"
	"golang.org/x/crypto/chacha20poly1305"
)

const nameFull = "L2TUN-PQXDH-IK/1 full suite=0004 X25519 ML-KEM-768 Ed25519 ML-DSA-65 ChaCha20Poly1305 BLAKE3 HKDF-SHA256"

// prologueFull begins the transcript: version, suite, mode, binding, didR.
func prologueFull(binding, digestR []byte) *schedule {
	s := begin(nameFull)
	s.mixHash("prologue", []byte{1}, le16(4), []byte{0}, binding, digestR)
	return s
}

// A fullInitiator makes M1 and M3. binding is kind and value, 33 bytes.
type fullInitiator struct {
	me      *node
	random  io.Reader
	binding []byte
	params  []byte

	asked  []byte // KEYS_REQ
	peer   keySet
	prekey prekeyRecord
	sid    []byte
	ex     *ecdh.PrivateKey
	ek     *mlkem.DecapsulationKey768
	state  *schedule
	out    secrets
}

// underDID is a value that only those compute who know the DID.
func underDID(digest []byte, label string, nonces ...[]byte) []byte {
	prk := must(hkdf.Extract(sha256.New, join(nonces...), digest))
	return must(hkdf.Expand(sha256.New, prk, label, 32))
}

// keysReq asks for the keys of a DID.
func (i *fullInitiator) keysReq(digest []byte) []byte {
	nonce := draw(i.random, 32)
	i.asked = join(header(typeKeysReq, sizeKeysReq, full(0)), nonce, underDID(digest, "l2tun/1 KEYS_REQ", nonce))
	return i.asked
}

// keysAEAD seals what KEYS answers to a request.
func keysAEAD(digest, req, nonceR []byte) cipher.AEAD {
	return must(chacha20poly1305.New(underDID(digest, "l2tun/1 KEYS", req[16:48], nonceR)))
}

// readKeys checks that KEYS is of the DID asked for and the prekey its own.
func (i *fullInitiator) readKeys(msg, digest []byte) error {
	if err := check(msg, typeKeys, sizeKeys, full(0)); err != nil {
		return err
	}
	body, err := keysAEAD(digest, i.asked, msg[16:48]).Open(nil, make([]byte, 12), msg[48:], join(i.asked, msg[:48]))
	if err != nil {
		return errOpen
	}
	set, record, q, sigQ := keySet(body[:1280]), prekeyRecord(body[1280:2580]), body[2580:4532], body[4532:]
	if !bytes.Equal(set.digest(), digest) || !bytes.Equal(set.qh(), hashQ(q)) || !ed25519.Verify(set.s(), signedPrekey(set, record.body()), record.sig()) {
		return errProof
	}
	key, err := mldsa.NewPublicKey(mldsa.MLDSA65(), q)
	if err != nil || mldsa.Verify(key, signedPrekeyQ(set, record.body()), sigQ, nil) != nil {
		return errProof
	}
	i.peer, i.prekey = set, record
	return nil
}

func (i *fullInitiator) m1() ([]byte, error) {
	s := prologueFull(i.binding, i.peer.digest())
	i.sid, i.ex, i.ek = draw(i.random, 8), drawX25519(i.random), drawMLKEM(i.random)
	Ex, Ek := i.ex.PublicKey().Bytes(), i.ek.EncapsulationKey().Bytes()
	ctS, ssS, err := encapsulate(i.peer.k(), i.random)
	if err != nil {
		return nil, err
	}
	ctP, ssP, err := encapsulate(i.prekey.pk(), i.random)
	if err != nil {
		return nil, err
	}
	head := join(header(typeM1, sizeM1, full(int(i.prekey.id()))), i.sid, Ex, Ek)
	es, err1 := x25519(i.ex, i.peer.d())
	ep, err2 := x25519(i.ex, i.prekey.px())
	sp, err3 := x25519(i.me.d, i.prekey.px())
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, errForm
	}

	s.mixHash("M1 head", head)
	s.mixKey("es", es, Ex, i.peer.d())
	s.mixHash("ct_s", ctS)
	s.mixKey("ks", ssS, i.peer.k(), ctS)
	s.mixHash("prekey", i.prekey)
	s.mixKey("ep", ep, Ex, i.prekey.px())
	s.mixHash("ct_p", ctP)
	s.mixKey("kp", ssP, i.prekey.pk(), ctP)
	sealedSet := s.seal("M1 key set", i.me.set)
	s.mixHash("didI", i.me.set.digest())
	s.mixKey("sp", sp, i.me.set.d(), i.prekey.px())
	sealedParams := s.seal("M1 params", i.params)
	i.state, i.out.paramsI = s, i.params
	return hideID(i.peer.digest(), join(head, ctS, ctP, sealedSet, sealedParams)), nil
}

// readM2 authenticates the responder and answers M3.
func (i *fullInitiator) readM2(msg []byte) (m3 []byte, err error) {
	if err := check(msg, typeM2, sizeM2, full(0)); err != nil {
		return nil, err
	}
	sidR, Rx, ctE, ctI, sealed := msg[16:24], msg[24:56], msg[56:1144], msg[1144:2232], msg[2232:]
	Ex, Ek := i.ex.PublicKey().Bytes(), i.ek.EncapsulationKey().Bytes()
	ee, err1 := x25519(i.ex, Rx)
	ke, err2 := i.ek.Decapsulate(ctE)
	se, err3 := x25519(i.me.d, Rx)
	ki, err4 := i.me.k.Decapsulate(ctI)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return nil, errForm
	}

	s := i.state
	s.mixHash("M2 head", msg[:56])
	s.mixKey("ee", ee, Ex, Rx)
	s.mixHash("ct_e", ctE)
	s.mixKey("ke", ke, Ek, ctE)
	s.mixKey("se", se, i.me.set.d(), Rx)
	s.mixHash("ct_i", ctI)
	s.mixKey("ki", ki, i.me.set.k(), ctI)
	signed := join([]byte("l2tun/1 sig R"), s.h)
	plain, err := s.open("M2", sealed)
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(i.peer.s(), signed, plain[:64]) {
		return nil, errProof
	}
	i.out.paramsR = plain[64:]
	s.record(&i.out)

	head := join(header(typeM3, sizeM3, full(0)), sidR)
	s.mixHash("M3 head", head)
	sig := ed25519.Sign(i.me.s, join([]byte("l2tun/1 sig I"), s.h))
	m3 = join(head, s.seal("M3", sig, make([]byte, 8)))
	s.end(&i.out)
	return m3, nil
}

// readRefused returns the responder's reason.
func (i *fullInitiator) readRefused(msg []byte) (reason byte, err error) {
	if err := check(msg, typeRefused, sizeRefused, full(0)); err != nil {
		return 0, err
	}
	if !bytes.Equal(msg[16:24], i.sid) {
		return 0, errForm
	}
	s := i.state.fork()
	s.mixHash("REFUSED head", msg[:24])
	plain, err := s.open("refused", msg[24:])
	if err != nil {
		return 0, err
	}
	return plain[0], nil
}

// A fullResponder answers KEYS_REQ and M1, and reads M3.
type fullResponder struct {
	me      *node
	prekey  *prekey
	random  io.Reader
	binding []byte

	peer   keySet
	Ex, Ek []byte
	sidI   []byte
	sidR   []byte
	state  *schedule
	out    secrets
}

// readKeysReq answers KEYS, under nobody's DID if another's keys were asked for.
func (r *fullResponder) readKeysReq(msg []byte) ([]byte, error) {
	if err := check(msg, typeKeysReq, sizeKeysReq, full(0)); err != nil {
		return nil, err
	}
	nonce, under := draw(r.random, 32), draw(r.random, 32)
	if digest := r.me.set.digest(); bytes.Equal(msg[48:], underDID(digest, "l2tun/1 KEYS_REQ", msg[16:48])) {
		under = digest
	}
	head := join(header(typeKeys, sizeKeys, full(0)), nonce)
	body := join(r.me.set, r.prekey.record, r.me.q.PublicKey().Bytes(), r.prekey.sigQ)
	return keysAEAD(under, msg, nonce).Seal(head, make([]byte, 12), body, join(msg, head)), nil
}

// hideID puts the prekey's id in M1 under the DID of R, or takes it out again.
func hideID(digest, m1 []byte) []byte {
	pad, out := underDID(digest, "l2tun/1 prekey id", m1[16:56]), bytes.Clone(m1)
	for n := range 4 {
		out[12+n] ^= pad[n]
	}
	return out
}

// readM1 answers UNKNOWN_PREKEY, or learns who the initiator says it is.
func (r *fullResponder) readM1(msg []byte) (answer []byte, err error) {
	if len(msg) != sizeM1 {
		return nil, errForm
	}
	if msg = hideID(r.me.set.digest(), msg); !bytes.Equal(msg[12:16], r.prekey.record[:4]) {
		return header(typeUnknownPrekey, sizeUnknownPrekey, full(0)), nil
	}
	if err := check(msg, typeM1, sizeM1, full(int(r.prekey.record.id()))); err != nil {
		return nil, err
	}
	ctS, ctP, sealedSet, sealedParams := msg[1240:2328], msg[2328:3416], msg[3416:4712], msg[4712:]
	r.sidI, r.Ex, r.Ek = msg[16:24], msg[24:56], msg[56:1240]
	es, err1 := x25519(r.me.d, r.Ex)
	ks, err2 := r.me.k.Decapsulate(ctS)
	ep, err3 := x25519(r.prekey.x, r.Ex)
	kp, err4 := r.prekey.k.Decapsulate(ctP)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return nil, errForm
	}
	Px, Pk := r.prekey.record.px(), r.prekey.record.pk()

	s := prologueFull(r.binding, r.me.set.digest())
	s.mixHash("M1 head", msg[:1240])
	s.mixKey("es", es, r.Ex, r.me.set.d())
	s.mixHash("ct_s", ctS)
	s.mixKey("ks", ks, r.me.set.k(), ctS)
	s.mixHash("prekey", r.prekey.record)
	s.mixKey("ep", ep, r.Ex, Px)
	s.mixHash("ct_p", ctP)
	s.mixKey("kp", kp, Pk, ctP)
	set, err := s.open("M1 key set", sealedSet)
	if err != nil {
		return nil, err
	}
	r.peer = set
	if bytes.Equal(r.peer.digest(), r.me.set.digest()) {
		return nil, errForm
	}
	s.mixHash("didI", r.peer.digest())
	sp, err := x25519(r.prekey.x, r.peer.d())
	if err != nil {
		return nil, err
	}
	s.mixKey("sp", sp, r.peer.d(), Px)
	r.out.paramsI, err = s.open("M1 params", sealedParams)
	r.state = s
	return nil, err
}

func (r *fullResponder) m2(params []byte) ([]byte, error) {
	r.sidR = draw(r.random, 8)
	rx := drawX25519(r.random)
	Rx := rx.PublicKey().Bytes()
	ctE, ke, err := encapsulate(r.Ek, r.random)
	if err != nil {
		return nil, err
	}
	ctI, ki, err := encapsulate(r.peer.k(), r.random)
	if err != nil {
		return nil, err
	}
	ee, err1 := x25519(rx, r.Ex)
	se, err2 := x25519(rx, r.peer.d())
	if err1 != nil || err2 != nil {
		return nil, errForm
	}

	s := r.state
	head := join(header(typeM2, sizeM2, full(0)), r.sidR, Rx)
	s.mixHash("M2 head", head)
	s.mixKey("ee", ee, r.Ex, Rx)
	s.mixHash("ct_e", ctE)
	s.mixKey("ke", ke, r.Ek, ctE)
	s.mixKey("se", se, r.peer.d(), Rx)
	s.mixHash("ct_i", ctI)
	s.mixKey("ki", ki, r.peer.k(), ctI)
	sig := ed25519.Sign(r.me.s, join([]byte("l2tun/1 sig R"), s.h))
	sealed := s.seal("M2", sig, params)
	r.out.paramsR = params
	s.record(&r.out)
	return join(head, ctE, ctI, sealed), nil
}

// refused is the other answer to M1.
func (r *fullResponder) refused(reason byte) []byte {
	s := r.state.fork()
	head := join(header(typeRefused, sizeRefused, full(0)), r.sidI)
	s.mixHash("REFUSED head", head)
	return join(head, s.seal("refused", []byte{reason}))
}

// readM3 authenticates the initiator.
func (r *fullResponder) readM3(msg []byte) error {
	if err := check(msg, typeM3, sizeM3, full(0)); err != nil {
		return err
	}
	if !bytes.Equal(msg[16:24], r.sidR) {
		return errForm
	}
	s := r.state
	s.mixHash("M3 head", msg[:24])
	signed := join([]byte("l2tun/1 sig I"), s.h)
	plain, err := s.open("M3", msg[24:])
	if err != nil {
		return err
	}
	if !bytes.Equal(plain[64:], make([]byte, 8)) {
		return errForm
	}
	if !ed25519.Verify(r.peer.s(), signed, plain[:64]) {
		return errProof
	}
	s.end(&r.out)
	return nil
}
