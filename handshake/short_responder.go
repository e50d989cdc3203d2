package handshake

import (
	"fmt"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Lookup finds the secret that a short handshake names and whose it is: the
// Rekey of the epoch in use, or a Resume secret by the ID of ResumeIn. It must
// not burn the secret: anybody can name it.
type Lookup func(Short) (peer *did.KeySet, secret Key, ok bool)

// A ShortResponder answers one short handshake:
//
//	Read(M1r) -> Claim, then Accept -> M2r, Finish(M3r) or Confirm -> Result
//	          -> UNKNOWN with ErrUnknownSecret
//
// Accept draws fresh keys. Who may get the same M1r again keeps M2r and answers
// with the same bytes; a second machine would make other keys.
type ShortResponder struct {
	shortState
	lookup  Lookup
	claim   *Claim
	ex      [wire.X25519Size]byte
	ek      [wire.MLKEMPublicSize]byte
	pending *Result
}

// NewShortResponder prepares for one M1r.
func NewShortResponder(c Config, lookup Lookup) *ShortResponder {
	return &ShortResponder{shortState: shortState{conf: c, want: wantM1}, lookup: lookup}
}

// Read takes M1r and returns its claim. Whoever made the M1r has the secret;
// that it is the peer is proven by M3r or a first record. Together with
// ErrUnknownSecret it appends UNKNOWN to dst, which may be sent.
func (r *ShortResponder) Read(dst, msg []byte) (out []byte, claim *Claim, err error) {
	out, err = r.read(msg)
	if err == nil {
		copied := *r.claim
		return dst, &copied, nil
	}
	r.Close()
	if out == nil {
		return nil, nil, err
	}
	return append(dst, out...), nil, err
}

func (r *ShortResponder) read(msg []byte) ([]byte, error) {
	if r.want != wantM1 {
		return nil, ErrUnexpected
	}
	t, what, err := ParseShort(msg)
	if err != nil {
		return nil, err
	}
	if t != wire.MsgM1r {
		return nil, ErrUnexpected
	}
	peer, secret, ok := r.lookup(what)
	if !ok {
		return bare(wire.MsgUnknown, what.Mode, what.ref()), ErrUnknownSecret
	}
	r.what, r.peer, r.want = what, peer, wantDecision
	return nil, r.readM1r((*wire.M1r)(msg), secret)
}

// readM1r: -> psk, Ex, Ek, es, {params}.
func (r *ShortResponder) readM1r(m *wire.M1r, secret Key) error {
	self := r.conf.Identity
	if r.peer.DID() == self.DID() {
		return ErrSelf
	}
	copy(r.ex[:], m.Ex())
	copy(r.ek[:], m.Ek())
	r.start(r.peer.DID(), self.DID(), secret)
	r.s.mixHash(m.Head())
	es, err := r.conf.dhStatic(m.Ex())
	if err != nil {
		return err
	}
	r.s.mixKey(wire.MixES, es, m.Ex(), self.KeySet().D[:])
	plain, err := r.s.open(wire.LabelM1r, m.Sealed())
	if err != nil {
		return err
	}
	params, err := parseParams(plain)
	if err != nil || !r.what.epochFits(params.Epoch, params.Epoch) {
		return ErrMalformed
	}
	r.claim = &Claim{r.peer.DID(), r.peer, params}
	return nil
}

// Accept appends M2r to dst. For a rotation p.Epoch is the claimed one, for a
// resumption not below it. See Result for what may be done with the pending one.
func (r *ShortResponder) Accept(dst []byte, p wire.Params) (out []byte, pending *Result, err error) {
	out, err = r.accept(p)
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	copied := *r.pending
	return append(dst, out...), &copied, nil
}

func (r *ShortResponder) accept(p wire.Params) ([]byte, error) {
	if r.want != wantDecision {
		return nil, ErrUnexpected
	}
	if err := checkParams(p); err != nil {
		return nil, err
	}
	if !r.what.epochFits(r.claim.Params.Epoch, p.Epoch) {
		return nil, errOtherEpoch
	}
	return r.m2r(p)
}

// m2r: <- binding, Rx, ee, ke, se, {params} (SPEC "Short mode"). se: a stolen
// secret alone does not open it.
func (r *ShortResponder) m2r(p wire.Params) ([]byte, error) {
	m := new(wire.M2r)
	r.what.header(wire.MsgM2r, m[:])
	if err := r.mixM2r(m); err != nil {
		return nil, err
	}
	r.s.seal(m.Sealed()[:0], wire.LabelM2r, p.Append(nil))
	r.pending = newResult(r.peer.DID(), &PeerKeys{KeySet: r.peer}, false, p, r.claim.Params)
	r.pending.takeDataKeys(&r.s)
	r.want = wantM3
	return m[:], nil
}

func (r *ShortResponder) mixM2r(m *wire.M2r) error {
	x, err := r.conf.newX25519()
	if err != nil {
		return err
	}
	defer x.Erase()
	copy(m.Rx(), x.Public())
	r.bind()
	r.s.mixHash(m.Head())
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
	se, err := dh(x, r.peer.D[:])
	if err != nil {
		return err
	}
	r.s.mixKey(wire.MixSE, se, r.peer.D[:], m.Rx())
	return nil
}

// Finish takes M3r. The initiator is authenticated when it returns the Result.
func (r *ShortResponder) Finish(msg []byte) (*Result, error) {
	defer r.Close()
	if r.want != wantM3 {
		return nil, ErrUnexpected
	}
	t, err := r.expect(msg)
	if err != nil {
		return nil, err
	}
	if t != wire.MsgM3r {
		return nil, ErrUnexpected
	}
	m := (*wire.M3r)(msg)
	r.s.mixHash(m.Head())
	flags, err := r.s.open(wire.LabelM3r, m.Sealed())
	if err != nil {
		return nil, err
	}
	if err := checkFinishFlags(flags); err != nil {
		return nil, err
	}
	return r.whole(), nil
}

// Confirm is Finish without M3r: a record that opened under the pending Recv
// proves as much, for both come from the same keys, and M3r may be lost.
func (r *ShortResponder) Confirm() (*Result, error) {
	defer r.Close()
	if r.want != wantM3 {
		return nil, ErrUnexpected
	}
	r.m3r()
	return r.whole(), nil
}

func (r *ShortResponder) whole() *Result {
	res := *r.pending
	res.takeSecrets(&r.s)
	return &res
}

// Close ends the handshake and erases its keys. It may be called at any time; a
// pending Result belongs to the caller.
func (r *ShortResponder) Close() {
	r.s.erase()
	if r.pending != nil {
		r.pending.Erase()
	}
	r.pending, r.claim, r.want = nil, nil, wantNothing
}

// Format prints the claimed peer for every verb.
func (r *ShortResponder) Format(f fmt.State, _ rune) {
	peer := did.DID{}
	if r.peer != nil {
		peer = r.peer.DID()
	}
	fmt.Fprintf(f, "short handshake from %v", peer)
}
