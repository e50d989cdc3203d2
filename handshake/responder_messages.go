package handshake

import (
	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
)

// openM1 undoes what the initiator's m1 does, in the same order.
func (r *Responder) openM1(m *wire.M1, p *wire.Prekey, secrets *prekeySecrets) error {
	copy(r.sid[:], m.SID())
	copy(r.ex[:], m.Ex())
	copy(r.ek[:], m.Ek())
	r.s = startFull(r.conf.Binding, r.conf.Identity.DID())
	r.s.mixHash(m.Head())
	if err := r.mixStatic(m); err != nil {
		return err
	}
	if err := r.mixPrekey(m, p, secrets); err != nil {
		return err
	}
	return r.openClaim(m, p, secrets)
}

// mixStatic: es, ks.
func (r *Responder) mixStatic(m *wire.M1) error {
	self := r.conf.Identity.KeySet()
	es, err := r.conf.dhStatic(m.Ex())
	if err != nil {
		return err
	}
	r.s.mixKey(wire.MixES, es, m.Ex(), self.D[:])
	ks, err := r.conf.Identity.Decapsulate(m.CtS())
	if err != nil {
		return err
	}
	r.s.mixHash(m.CtS())
	r.s.mixKey(wire.MixKS, ks, self.K[:], m.CtS())
	return nil
}

// mixPrekey: prekey record, ep, kp.
func (r *Responder) mixPrekey(m *wire.M1, p *wire.Prekey, secrets *prekeySecrets) error {
	r.s.mixHash(p[:])
	ep, err := dh(secrets.x, m.Ex())
	if err != nil {
		return err
	}
	r.s.mixKey(wire.MixEP, ep, m.Ex(), p.Px())
	r.s.mixHash(m.CtP())
	r.s.mixKey(wire.MixKP, decapsulate(secrets.kem, m.CtP()), p.Pk(), m.CtP())
	return nil
}

// openClaim: {key set of I}, didI, sp, {params}.
func (r *Responder) openClaim(m *wire.M1, p *wire.Prekey, secrets *prekeySecrets) error {
	plain, err := r.s.open(wire.LabelM1Keys, m.SealedKeys())
	if err != nil {
		return err
	}
	k, err := did.ParseKeySet(plain)
	if err != nil {
		return ErrMalformed
	}
	peer := k.DID()
	if peer == r.conf.Identity.DID() {
		return ErrSelf
	}
	mixDID(&r.s, peer)
	sp, err := dh(secrets.x, k.D[:])
	if err != nil {
		return err
	}
	r.s.mixKey(wire.MixSP, sp, k.D[:], p.Px())
	if plain, err = r.s.open(wire.LabelM1Params, m.SealedParams()); err != nil {
		return err
	}
	params, err := parseParams(plain)
	r.claim = &Claim{peer, k, params}
	return err
}

// refused: <- sidI, {reason}.
func (r *Responder) refused(reason Refusal) []byte {
	m := new(wire.Refused)
	wire.HandshakeHeader{Type: wire.MsgRefused}.Put(m[:])
	copy(m.SID(), r.sid[:])
	r.s.mixHash(m.Head())
	r.s.seal(m.Sealed()[:0], wire.LabelRefused, []byte{byte(reason)})
	return m[:]
}

// m2: <- sidR, Rx, ee, ke, se, ki, {sigR, params} (SPEC "Full mode").
func (r *Responder) m2(p wire.Params) ([]byte, error) {
	m := new(wire.M2)
	wire.HandshakeHeader{Type: wire.MsgM2}.Put(m[:])
	x, err := r.ephemeralAndSID()
	if err != nil {
		return nil, err
	}
	defer x.Erase()
	copy(m.SID(), r.sid[:])
	copy(m.Rx(), x.Public())
	r.s.mixHash(m.Head())
	if err := r.mixEphemeral(m, x); err != nil {
		return nil, err
	}
	if err := r.mixInitiator(m, x); err != nil {
		return nil, err
	}
	plain := make([]byte, 0, m2PlainSize)
	plain = append(plain, r.conf.Identity.Sign(r.s.signed(wire.LabelSigR))...)
	r.s.seal(m.Sealed()[:0], wire.LabelM2, p.Append(plain))
	r.pending = newResult(r.claim.DID, &PeerKeys{KeySet: r.claim.KeySet}, false, p, r.claim.Params)
	r.pending.takeDataKeys(&r.s)
	r.want = wantM3
	return m[:], nil
}

// mixEphemeral: ee, ke. Forward secrecy, classical and not.
func (r *Responder) mixEphemeral(m *wire.M2, x *x25519.PrivateKey) error {
	ee, err := dh(x, r.ex[:])
	if err != nil {
		return err
	}
	r.s.mixKey(wire.MixEE, ee, r.ex[:], m.Rx())
	ke, err := r.conf.encapsulate(m.CtE(), r.ek[:])
	if err != nil {
		return err
	}
	r.s.mixHash(m.CtE())
	r.s.mixKey(wire.MixKE, ke, r.ek[:], m.CtE())
	return nil
}

// mixInitiator: se, ki. Only the holder of the initiator's static keys goes on.
func (r *Responder) mixInitiator(m *wire.M2, x *x25519.PrivateKey) error {
	k := r.claim.KeySet
	se, err := dh(x, k.D[:])
	if err != nil {
		return err
	}
	r.s.mixKey(wire.MixSE, se, k.D[:], m.Rx())
	ki, err := r.conf.encapsulateTo(m.CtI(), k)
	if err != nil {
		return err
	}
	r.s.mixHash(m.CtI())
	r.s.mixKey(wire.MixKI, ki, k.K[:], m.CtI())
	return nil
}

// readM3: -> sidR, {sigI, flags}.
func (r *Responder) readM3(m *wire.M3) (*Result, error) {
	r.s.mixHash(m.Head())
	signed := r.s.signed(wire.LabelSigI)
	plain, err := r.s.open(wire.LabelM3, m.Sealed())
	if err != nil {
		return nil, err
	}
	if !r.claim.KeySet.Verify(signed, plain[:wire.Ed25519SigSize]) {
		return nil, ErrAuthentication
	}
	if err := checkFinishFlags(plain[wire.Ed25519SigSize:]); err != nil {
		return nil, err
	}
	res := *r.pending
	res.takeSecrets(&r.s)
	return &res, nil
}
