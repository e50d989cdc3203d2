package second

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// sized is b with n bytes, cut or filled with zeros.
func sized(b []byte, n int) []byte { return append(bytes.Clone(b), make([]byte, n)...)[:n] }

// FuzzSealedContents: what other fuzzers cannot reach, because it lies behind a
// seal. A node that knows the protocol puts whatever it likes into its own
// messages; the product answers, or errs with one of its errors, and a result is
// of the peer that made it.
func FuzzSealedContents(f *testing.F) {
	p := randomPair()
	pre := store{must(handshake.NewPrekey(p.ours, prekeyFrom(), prekeyFrom().Add(time.Hour), nil))}
	good := secondParams(p.ps)
	f.Add(byte(0), []byte(p.second.set))
	f.Add(byte(0), make([]byte, 1280))
	f.Add(byte(1), good)
	f.Add(byte(1), make([]byte, 24))
	f.Add(byte(2), good)
	f.Add(byte(3), good)
	f.Add(byte(4), good)
	f.Fuzz(func(t *testing.T, where byte, content []byte) {
		var err error
		switch where % 5 {
		case 0:
			err = p.sealsM1(t, pre, keySet(sized(content, 1280)), good)
		case 1:
			err = p.sealsM1(t, pre, p.second.set, sized(content, 24))
		case 2:
			err = p.sealsM2(t, sized(content, 24))
		case 3:
			err = p.sealsM1r(t, sized(content, 24))
		case 4:
			err = p.sealsM2r(t, sized(content, 24))
		}
		for _, known := range []error{nil, handshake.ErrMalformed, handshake.ErrDecrypt, handshake.ErrAuthentication, handshake.ErrSelf} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("%d: %v", where, err)
	})
}

// sealsM1 sends an M1 with contents of its own to the product.
func (p pair) sealsM1(t *testing.T, pre store, set keySet, params []byte) error {
	liar := *p.second
	liar.set = set
	digest := p.oursSet().digest()
	i := &fullInitiator{me: &liar, random: rand.Reader, binding: p.binding, params: params}
	r := handshake.NewResponder(p.config(), pre)
	keys, _, err := r.Read(nil, i.keysReq(digest))
	ok(t, err, i.readKeys(keys, digest))
	m1, err := i.m1()
	ok(t, err)
	_, claim, err := r.Read(nil, m1)
	if err != nil {
		return err
	}
	if got := claim.KeySet.Append(nil); !bytes.Equal(got, set) || claim.DID != did.FromDigest([32]byte(set.digest())) {
		t.Fatalf("claim of %v with another key set", claim.DID)
	}
	po := p.po
	po.Epoch = claim.Params.Epoch
	_, _, err = r.Accept(nil, po)
	return err
}

// sealsM2 answers the product's M1 with parameters of its own.
func (p pair) sealsM2(t *testing.T, params []byte) error {
	i, err := handshake.NewInitiator(p.config(), p.secondDID(), nil, p.po)
	ok(t, err)
	r := p.secondResponder()
	req, err := i.Start(nil)
	ok(t, err)
	keys, err := r.readKeysReq(req)
	ok(t, err)
	m1, _, err := i.Read(nil, keys)
	ok(t, err)
	_, err = r.readM1(m1)
	ok(t, err)
	m2, err := r.m2(params)
	ok(t, err)
	_, res, err := i.Read(nil, m2)
	return p.sane(t, res, err)
}

func (p pair) sealsM1r(t *testing.T, params []byte) error {
	secret := handshake.Key{1}
	i := &shortInitiator{me: p.second, peer: p.oursSet(), link: rotation(1, 2), secret: secret[:], random: rand.Reader, params: params}
	r := handshake.NewShortResponder(p.config(), p.lookup(t, handshake.Rotation(2, 1), secret))
	m1r, err := i.m1r()
	ok(t, err)
	if _, _, err = r.Read(nil, m1r); err != nil {
		return err
	}
	po := p.po
	po.Epoch = 2
	_, res, err := r.Accept(nil, po)
	return p.sane(t, res, err)
}

func (p pair) sealsM2r(t *testing.T, params []byte) error {
	secret := handshake.Key{1}
	po := p.po
	po.Epoch = 2
	set, err := did.ParseKeySet(p.second.set)
	ok(t, err)
	i, err := handshake.NewShortInitiator(p.config(), set, handshake.Rotation(2, 1), secret, po)
	ok(t, err)
	r := &shortResponder{me: p.second, peer: p.oursSet(), link: rotation(1, 2), secret: secret[:], random: rand.Reader}
	m1r, err := i.Start(nil)
	ok(t, err, r.readM1r(m1r))
	m2r, err := r.m2r(params)
	ok(t, err)
	_, res, err := i.Read(nil, m2r)
	return p.sane(t, res, err)
}

// sane: a result is of the peer, with parameters that may be used.
func (p pair) sane(t *testing.T, r *handshake.Result, err error) error {
	if err != nil {
		return err
	}
	if r.Peer != p.secondDID() || r.Epoch == 0 || !r.Remote.RecordID.Valid() || r.Send == r.Recv || r.Remote == (wire.Params{}) {
		t.Fatalf("a result of %v with epoch %d and %+v", r.Peer, r.Epoch, r.Remote)
	}
	return nil
}
