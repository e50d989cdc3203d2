package handshake

import (
	"encoding/binary"
	"fmt"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
)

// A PrekeyStore holds a responder's prekeys. It is safe for concurrent use.
type PrekeyStore interface {
	Current() *Prekey       // what KEYS hands out, never nil
	ByID(id uint32) *Prekey // nil when it is not held any more
}

// A Claim is what M1 says about the initiator. Whoever made the M1 holds the
// X25519 key of the key set or the responder's prekey; proof comes with M3.
type Claim struct {
	DID    did.DID
	KeySet *did.KeySet
	Params wire.Params
}

// A Responder answers one full handshake on one stream:
//
//	Read(KEYS_REQ) -> KEYS, for any DID             at most once
//	Read(M1)       -> UNKNOWN_PREKEY                 at most once
//	Read(M1)       -> Claim, then Accept -> M2, Finish(M3) -> Result
//	                          or  Refuse -> REFUSED
type Responder struct {
	conf                 Config
	prekeys              PrekeyStore
	want                 want
	asked, unknownPrekey bool // a KEYS_REQ, an M1 with an unknown prekey was answered

	s       schedule
	claim   *Claim
	sid     [wire.SIDSize]byte
	ex      [wire.X25519Size]byte
	ek      [wire.MLKEMPublicSize]byte
	pending *Result
}

// NewResponder prepares for one initiator, known or not.
func NewResponder(c Config, prekeys PrekeyStore) *Responder {
	return &Responder{conf: c, prekeys: prekeys, want: wantM1}
}

// Read takes one whole message that is not M3. It appends the answer to dst, or
// returns the claim of an M1, after which Accept or Refuse decides.
func (r *Responder) Read(dst, msg []byte) (out []byte, claim *Claim, err error) {
	out, claim, err = r.read(msg)
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return append(dst, out...), claim, nil
}

func (r *Responder) read(msg []byte) ([]byte, *Claim, error) {
	if r.want != wantM1 {
		return nil, nil, ErrUnexpected
	}
	h, err := parse(msg)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case h.Type == wire.MsgKeysReq && !r.asked:
		r.asked = true
		out, err := r.keys((*wire.KeysReq)(msg))
		return out, nil, err
	case h.Type == wire.MsgM1:
		m := *(*wire.M1)(msg)
		hidePrekeyID(&m, r.conf.Identity.DID())
		return r.readM1(&m)
	}
	return nil, nil, ErrUnexpected
}

func (r *Responder) keys(q *wire.KeysReq) ([]byte, error) {
	body := r.conf.Identity.KeySet().Append(make([]byte, 0, wire.KeysBodySize))
	body = r.prekeys.Current().appendTo(body, r.conf.Identity)
	m := new(wire.Keys)
	if err := r.conf.answerKeys(m, q, body); err != nil {
		return nil, err
	}
	return m[:], nil
}

func (r *Responder) readM1(m *wire.M1) ([]byte, *Claim, error) {
	var secrets *prekeySecrets
	p := r.prekeys.ByID(binary.LittleEndian.Uint32(m.PrekeyID()))
	if p != nil {
		secrets = p.secrets()
	}
	switch {
	case secrets == nil && r.unknownPrekey:
		return nil, nil, ErrUnexpected
	case secrets == nil:
		r.unknownPrekey = true
		return bare(wire.MsgUnknownPrekey, wire.ModeFull, wire.Ref{}), nil, nil
	}
	defer secrets.x.Erase()
	if err := r.openM1(m, &p.record, secrets); err != nil {
		return nil, nil, err
	}
	r.want = wantDecision
	claim := *r.claim
	return nil, &claim, nil
}

// Accept appends M2 to dst. p are this end's parameters; their epoch, which must
// not be below the claimed one, is what both ends will use. See Result for what
// may be done with the pending one.
func (r *Responder) Accept(dst []byte, p wire.Params) (out []byte, pending *Result, err error) {
	out, err = r.accept(p)
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	copied := *r.pending
	return append(dst, out...), &copied, nil
}

func (r *Responder) accept(p wire.Params) ([]byte, error) {
	if r.want != wantDecision {
		return nil, ErrUnexpected
	}
	if err := checkParams(p); err != nil {
		return nil, err
	}
	if p.Epoch < r.claim.Params.Epoch {
		return nil, errOldEpoch
	}
	return r.m2(p)
}

// Refuse appends REFUSED to dst and ends the handshake. Only the initiator that
// made M1 can read the reason.
func (r *Responder) Refuse(dst []byte, reason Refusal) ([]byte, error) {
	defer r.Close()
	if r.want != wantDecision {
		return nil, ErrUnexpected
	}
	return append(dst, r.refused(reason)...), nil
}

// Finish takes M3. The initiator is authenticated when it returns the Result.
func (r *Responder) Finish(msg []byte) (*Result, error) {
	defer r.Close()
	if r.want != wantM3 {
		return nil, ErrUnexpected
	}
	h, err := parse(msg)
	if err != nil {
		return nil, err
	}
	if h.Type != wire.MsgM3 {
		return nil, ErrUnexpected
	}
	return r.readM3((*wire.M3)(msg))
}

// Close ends the handshake and erases its keys. It may be called at any time; a
// pending Result belongs to the caller.
func (r *Responder) Close() {
	r.s.erase()
	if r.pending != nil {
		r.pending.Erase()
	}
	r.pending, r.claim, r.want = nil, nil, wantNothing
}

// Format prints the claimed peer for every verb.
func (r *Responder) Format(f fmt.State, _ rune) {
	peer := did.DID{}
	if r.claim != nil {
		peer = r.claim.DID
	}
	fmt.Fprintf(f, "handshake from %v", peer)
}

// ephemeralAndSID draws sidR and Rx.
func (r *Responder) ephemeralAndSID() (*x25519.PrivateKey, error) {
	if err := r.conf.random(r.sid[:]); err != nil {
		return nil, err
	}
	return r.conf.newX25519()
}
