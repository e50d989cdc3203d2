package second

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"io"
)

const nameShort = "L2TUN-PQXDH-IK/1 short suite=0004 X25519 ML-KEM-768 ChaCha20Poly1305 BLAKE3 HKDF-SHA256"

// prologueShort begins the transcript and mixes the secret chained from.
func prologueShort(mode byte, secret, digestI, digestR []byte) *schedule {
	s := begin(nameShort)
	s.mixHash("prologue", []byte{1}, le16(4), []byte{mode}, digestI, digestR)
	s.mixKey("psk", secret, digestI, digestR)
	return s
}

// bindingShort is what M2r mixes: rotations are bound to no connection.
func bindingShort(l link, binding []byte) []byte {
	if l.mode == 1 {
		return make([]byte, 33)
	}
	return binding
}

// A shortInitiator makes M1r and M3r.
type shortInitiator struct {
	me      *node
	peer    keySet
	link    link
	secret  []byte
	random  io.Reader
	binding []byte
	params  []byte

	ex    *ecdh.PrivateKey
	ek    *mlkem.DecapsulationKey768
	state *schedule
	out   secrets
}

func (i *shortInitiator) m1r() ([]byte, error) {
	i.ex, i.ek = drawX25519(i.random), drawMLKEM(i.random)
	Ex, Ek := i.ex.PublicKey().Bytes(), i.ek.EncapsulationKey().Bytes()
	es, err := x25519(i.ex, i.peer.d())
	if err != nil {
		return nil, err
	}

	s := prologueShort(i.link.mode, i.secret, i.me.set.digest(), i.peer.digest())
	head := join(header(typeM1r, sizeM1r, i.link), Ex, Ek)
	s.mixHash("M1r head", head)
	s.mixKey("es", es, Ex, i.peer.d())
	sealed := s.seal("M1r", i.params)
	i.state, i.out.paramsI = s, i.params
	return join(head, sealed), nil
}

// readM2r authenticates the responder and answers M3r.
func (i *shortInitiator) readM2r(msg []byte) (m3r []byte, err error) {
	if err := check(msg, typeM2r, sizeM2r, i.link); err != nil {
		return nil, err
	}
	Rx, ctE, sealed := msg[16:48], msg[48:1136], msg[1136:]
	ee, err1 := x25519(i.ex, Rx)
	ke, err2 := i.ek.Decapsulate(ctE)
	se, err3 := x25519(i.me.d, Rx)
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, errForm
	}

	s := i.state
	s.mixHash("binding", bindingShort(i.link, i.binding))
	s.mixHash("M2r head", msg[:48])
	s.mixKey("ee", ee, i.ex.PublicKey().Bytes(), Rx)
	s.mixHash("ct_e", ctE)
	s.mixKey("ke", ke, i.ek.EncapsulationKey().Bytes(), ctE)
	s.mixKey("se", se, i.me.set.d(), Rx)
	if i.out.paramsR, err = s.open("M2r", sealed); err != nil {
		return nil, err
	}
	s.record(&i.out)

	head := header(typeM3r, sizeM3r, i.link)
	s.mixHash("M3r head", head)
	m3r = join(head, s.seal("M3r", make([]byte, 8)))
	s.end(&i.out)
	return m3r, nil
}

// A shortResponder answers M1r and reads M3r.
type shortResponder struct {
	me      *node
	peer    keySet
	link    link
	secret  []byte
	random  io.Reader
	binding []byte

	Ex, Ek []byte
	state  *schedule
	out    secrets
}

func (r *shortResponder) readM1r(msg []byte) error {
	if err := check(msg, typeM1r, sizeM1r, r.link); err != nil {
		return err
	}
	r.Ex, r.Ek = msg[16:48], msg[48:1232]
	es, err := x25519(r.me.d, r.Ex)
	if err != nil {
		return err
	}
	s := prologueShort(r.link.mode, r.secret, r.peer.digest(), r.me.set.digest())
	s.mixHash("M1r head", msg[:1232])
	s.mixKey("es", es, r.Ex, r.me.set.d())
	r.out.paramsI, err = s.open("M1r", msg[1232:])
	r.state = s
	return err
}

// unknown is the answer to an M1r that names no secret held.
func (r *shortResponder) unknown() []byte { return header(typeUnknown, sizeUnknown, r.link) }

func (r *shortResponder) m2r(params []byte) ([]byte, error) {
	rx := drawX25519(r.random)
	Rx := rx.PublicKey().Bytes()
	ctE, ke, err := encapsulate(r.Ek, r.random)
	if err != nil {
		return nil, err
	}
	ee, err1 := x25519(rx, r.Ex)
	se, err2 := x25519(rx, r.peer.d())
	if err1 != nil || err2 != nil {
		return nil, errForm
	}

	s := r.state
	s.mixHash("binding", bindingShort(r.link, r.binding))
	head := join(header(typeM2r, sizeM2r, r.link), Rx)
	s.mixHash("M2r head", head)
	s.mixKey("ee", ee, r.Ex, Rx)
	s.mixHash("ct_e", ctE)
	s.mixKey("ke", ke, r.Ek, ctE)
	s.mixKey("se", se, r.peer.d(), Rx)
	sealed := s.seal("M2r", params)
	r.out.paramsR = params
	s.record(&r.out)
	return join(head, ctE, sealed), nil
}

// readM3r authenticates the initiator.
func (r *shortResponder) readM3r(msg []byte) error {
	if err := check(msg, typeM3r, sizeM3r, r.link); err != nil {
		return err
	}
	s := r.state
	s.mixHash("M3r head", msg[:16])
	plain, err := s.open("M3r", msg[16:])
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, make([]byte, 8)) {
		return errForm
	}
	s.end(&r.out)
	return nil
}
