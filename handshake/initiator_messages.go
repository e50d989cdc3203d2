package handshake

import (
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// m1 makes M1 (SPEC "Full mode"):
//
//	-> sidI, Ex, Ek, es, ks, prekey, ep, kp, {key set of I}, sp, {params}
func (i *Initiator) m1() ([]byte, error) {
	m := new(wire.M1)
	link := wire.Ref{High: i.known.Prekey.ID()}
	wire.HandshakeHeader{Type: wire.MsgM1, Ref: link}.Put(m[:])
	i.s = startFull(i.conf.Binding, i.peer)
	for _, step := range []func(*wire.M1) error{i.drawEphemerals, i.mixStatic, i.mixPrekey, i.sealSelf} {
		if err := step(m); err != nil {
			return nil, err
		}
	}
	hidePrekeyID(m, i.peer)
	i.want = wantM2
	return m[:], nil
}

// drawEphemerals: sidI, Ex, Ek.
func (i *Initiator) drawEphemerals(m *wire.M1) (err error) {
	if err = i.conf.random(m.SID()); err != nil {
		return err
	}
	if i.x, err = i.conf.newX25519(); err != nil {
		return err
	}
	if i.kem, err = i.conf.newMLKEM(m.Ek()); err != nil {
		return err
	}
	copy(m.Ex(), i.x.Public())
	i.s.mixHash(m.Head())
	return nil
}

// mixStatic: es, ks. Only the holder of the responder's static keys goes on.
func (i *Initiator) mixStatic(m *wire.M1) error {
	k := i.known.KeySet
	es, err := dh(i.x, k.D[:])
	if err != nil {
		return err
	}
	i.s.mixKey(wire.MixES, es, m.Ex(), k.D[:])
	ks, err := i.conf.encapsulateTo(m.CtS(), k)
	if err != nil {
		return err
	}
	i.s.mixHash(m.CtS())
	i.s.mixKey(wire.MixKS, ks, k.K[:], m.CtS())
	return nil
}

// mixPrekey: prekey record, ep, kp. Forward secrecy for what M1 seals.
func (i *Initiator) mixPrekey(m *wire.M1) error {
	p := &i.known.Prekey.raw
	i.s.mixHash(p[:])
	ep, err := dh(i.x, p.Px())
	if err != nil {
		return err
	}
	i.s.mixKey(wire.MixEP, ep, m.Ex(), p.Px())
	kp, err := i.conf.encapsulate(m.CtP(), p.Pk())
	if err != nil {
		return err
	}
	i.s.mixHash(m.CtP())
	i.s.mixKey(wire.MixKP, kp, p.Pk(), m.CtP())
	return nil
}

// sealSelf: {key set of I}, didI, sp, {params}. sp lets the responder turn
// strangers away early; nothing rests on it alone.
func (i *Initiator) sealSelf(m *wire.M1) error {
	self := i.conf.Identity.KeySet()
	i.s.seal(m.SealedKeys()[:0], wire.LabelM1Keys, self.Append(nil))
	mixDID(&i.s, i.conf.Identity.DID())
	px := i.known.Prekey.raw.Px()
	sp, err := i.conf.dhStatic(px)
	if err != nil {
		return err
	}
	i.s.mixKey(wire.MixSP, sp, self.D[:], px)
	i.s.seal(m.SealedParams()[:0], wire.LabelM1Params, i.params.Append(nil))
	return nil
}

// readRefused: <- sidI, {reason}, right after M1. A reason that does not open
// proves nothing.
func (i *Initiator) readRefused(m *wire.Refused) error {
	i.s.mixHash(m.Head())
	plain, err := i.s.open(wire.LabelRefused, m.Sealed())
	if err != nil {
		return err
	}
	return &RefusedError{Refusal(plain[0])}
}

// readM2: <- sidR, Rx, ee, ke, se, ki, {sigR, params}.
func (i *Initiator) readM2(m *wire.M2) ([]byte, *Result, error) {
	if err := i.mixM2(m); err != nil {
		return nil, nil, err
	}
	signed := i.s.signed(wire.LabelSigR)
	plain, err := i.s.open(wire.LabelM2, m.Sealed())
	if err != nil {
		return nil, nil, err
	}
	if !i.known.KeySet.Verify(signed, plain[:wire.Ed25519SigSize]) {
		return nil, nil, ErrAuthentication
	}
	remote, err := parseParams(plain[wire.Ed25519SigSize:])
	if err != nil || remote.Epoch < i.params.Epoch {
		return nil, nil, ErrMalformed
	}
	res := newResult(i.peer, i.known, true, i.params, remote)
	res.takeDataKeys(&i.s)
	out := i.m3(m.SID())
	res.takeSecrets(&i.s)
	return out, res, nil
}

func (i *Initiator) mixM2(m *wire.M2) error {
	self := i.conf.Identity.KeySet()
	i.s.mixHash(m.Head())
	ee, err := dh(i.x, m.Rx())
	if err != nil {
		return err
	}
	i.s.mixKey(wire.MixEE, ee, i.x.Public(), m.Rx())
	i.s.mixHash(m.CtE())
	i.s.mixKey(wire.MixKE, decapsulate(i.kem, m.CtE()), publicBytes(i.kem), m.CtE())
	se, err := i.conf.dhStatic(m.Rx())
	if err != nil {
		return err
	}
	i.s.mixKey(wire.MixSE, se, self.D[:], m.Rx())
	ki, err := i.conf.Identity.Decapsulate(m.CtI())
	if err != nil {
		return err
	}
	i.s.mixHash(m.CtI())
	i.s.mixKey(wire.MixKI, ki, self.K[:], m.CtI())
	return nil
}

// m3: -> sidR, {sigI, flags}. It always succeeds.
func (i *Initiator) m3(sidR []byte) []byte {
	m := new(wire.M3)
	wire.HandshakeHeader{Type: wire.MsgM3}.Put(m[:])
	copy(m.SID(), sidR)
	i.s.mixHash(m.Head())
	sig := i.conf.Identity.Sign(i.s.signed(wire.LabelSigI))
	i.s.seal(m.Sealed()[:0], wire.LabelM3, append(sig, finishFlags()...))
	return m[:]
}
