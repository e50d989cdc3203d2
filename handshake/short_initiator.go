package handshake

import (
	"fmt"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
)

// A ShortInitiator makes one short handshake:
//
//	Start -> M1r   Read(M2r) -> M3r and Result
//
// The caller sends M1r and M3r again, the same bytes, until it is answered.
type ShortInitiator struct {
	shortState
	params wire.Params
	secret Key
	x      *x25519.PrivateKey
	kem    *mlkem768.PrivateKey
}

// NewShortInitiator prepares a handshake with the node of a checked key set. For
// a rotation p.Epoch is what.Epoch; for a resumption the next that this end
// could use.
func NewShortInitiator(c Config, peer *did.KeySet, what Short, secret Key, p wire.Params) (*ShortInitiator, error) {
	if peer.DID() == c.Identity.DID() {
		return nil, ErrSelf
	}
	if err := what.check(); err != nil {
		return nil, err
	}
	if err := checkParams(p); err != nil {
		return nil, err
	}
	if !what.epochFits(p.Epoch, p.Epoch) {
		return nil, errOtherEpoch
	}
	return &ShortInitiator{shortState: shortState{conf: c, what: what, peer: peer, want: wantStart}, params: p, secret: secret}, nil
}

// Start appends M1r to dst.
func (i *ShortInitiator) Start(dst []byte) ([]byte, error) {
	if i.want != wantStart {
		i.Close()
		return nil, ErrUnexpected
	}
	m, err := i.m1r()
	if err != nil {
		i.Close()
		return nil, err
	}
	i.want = wantM2
	return append(dst, m...), nil
}

// Read takes M2r, appends M3r to dst and returns the Result: the responder is
// authenticated. UNKNOWN gives ErrUnknownSecret.
func (i *ShortInitiator) Read(dst, msg []byte) (out []byte, res *Result, err error) {
	defer i.Close()
	if i.want != wantM2 {
		return nil, nil, ErrUnexpected
	}
	t, err := i.expect(msg)
	switch {
	case err != nil:
		return nil, nil, err
	case t == wire.MsgUnknown:
		return nil, nil, ErrUnknownSecret
	case t != wire.MsgM2r:
		return nil, nil, ErrUnexpected
	}
	if out, res, err = i.readM2r((*wire.M2r)(msg)); err != nil {
		return nil, nil, err
	}
	return append(dst, out...), res, nil
}

// m1r: -> psk, Ex, Ek, es, {params} (SPEC "Short mode"). es: a stolen secret
// alone does not open it.
func (i *ShortInitiator) m1r() (b []byte, err error) {
	m := new(wire.M1r)
	i.what.header(wire.MsgM1r, m[:])
	if i.x, err = i.conf.newX25519(); err != nil {
		return nil, err
	}
	if i.kem, err = i.conf.newMLKEM(m.Ek()); err != nil {
		return nil, err
	}
	copy(m.Ex(), i.x.Public())
	i.start(i.conf.Identity.DID(), i.peer.DID(), i.secret)
	clear(i.secret[:])
	i.s.mixHash(m.Head())
	es, err := dh(i.x, i.peer.D[:])
	if err != nil {
		return nil, err
	}
	i.s.mixKey(wire.MixES, es, m.Ex(), i.peer.D[:])
	i.s.seal(m.Sealed()[:0], wire.LabelM1r, i.params.Append(nil))
	return m[:], nil
}

// readM2r: <- binding, Rx, ee, ke, se, {params}.
func (i *ShortInitiator) readM2r(m *wire.M2r) ([]byte, *Result, error) {
	if err := i.mixM2r(m); err != nil {
		return nil, nil, err
	}
	plain, err := i.s.open(wire.LabelM2r, m.Sealed())
	if err != nil {
		return nil, nil, err
	}
	remote, err := parseParams(plain)
	if err != nil || !i.what.epochFits(i.params.Epoch, remote.Epoch) {
		return nil, nil, ErrMalformed
	}
	res := newResult(i.peer.DID(), &PeerKeys{KeySet: i.peer}, true, i.params, remote)
	res.takeDataKeys(&i.s)
	out := i.m3r()
	res.takeSecrets(&i.s)
	return out, res, nil
}

func (i *ShortInitiator) mixM2r(m *wire.M2r) error {
	i.bind()
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
	i.s.mixKey(wire.MixSE, se, i.conf.Identity.KeySet().D[:], m.Rx())
	return nil
}

// Close ends the handshake and erases its keys. It may be called at any time.
func (i *ShortInitiator) Close() {
	i.s.erase()
	clear(i.secret[:])
	i.x.Erase()
	i.x, i.kem, i.want = nil, nil, wantNothing
}

// Format prints the peer for every verb.
func (i *ShortInitiator) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "short handshake with %v", i.peer.DID())
}
