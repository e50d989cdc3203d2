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
	"github.com/libertaria-project/l2tun/test/faults"
)

// A pair is one node of the product and one of the second implementation, with
// random keys, and a connection between them.
type pair struct {
	ours    *did.Identity
	second  *node
	binding []byte
	po, ps  wire.Params // what ours and second state
}

func randomNode() (*did.Identity, *node) {
	seed := draw(rand.Reader, 32)
	return must(did.NewIdentity(seed)), newNode(seed)
}

func randomPair() pair {
	ours, _ := randomNode()
	_, second := randomNode()
	return pair{ours: ours, second: second, binding: join([]byte{1}, draw(rand.Reader, 32)),
		po: randomParams(2), ps: randomParams(3)}
}

func randomParams(epoch uint32) wire.Params {
	b := draw(rand.Reader, 10)
	return wire.Params{RecordID: wire.MakeRecordID([7]byte(b)), AES: b[7]&1 == 0, AcceptsPartial: b[8]&1 == 0, Circuits: b[8]&2 == 0,
		MTU: 1280 + uint16(b[9]), Epoch: epoch, Incarnation: uint64(b[0])<<40 | 7}
}

// secondParams are p in the words of the second implementation.
func secondParams(p wire.Params) []byte {
	var flags byte
	if p.AES {
		flags |= 1
	}
	if p.AcceptsPartial {
		flags |= 2
	}
	if p.Circuits {
		flags |= 4
	}
	return params{p.RecordID[:], flags, p.MTU, p.Epoch, p.Incarnation}.bytes()
}

func (p pair) config() handshake.Config {
	return handshake.Config{Identity: p.ours, Binding: handshake.Binding{Kind: p.binding[0], Value: [32]byte(p.binding[1:])}}
}

func (p pair) secondDID() did.DID { return did.FromDigest([32]byte(p.second.set.digest())) }

func (p pair) oursSet() keySet { return p.ours.KeySet().Append(nil) }

// agree fails unless the product's result is what the second has.
func (p pair) agree(t *testing.T, r *handshake.Result, s secrets) {
	t.Helper()
	send, recv := s.dataR2I, s.dataI2R
	out, in := s.resumeR2I, s.resumeI2R
	outID, inID := s.resumeIDR2I, s.resumeIDI2R
	local, remote := s.paramsR, s.paramsI
	if r.Initiator {
		send, recv, out, in, outID, inID, local, remote = recv, send, in, out, inID, outID, remote, local
	}
	for name, c := range map[string][2][]byte{
		"send": {r.Send[:], send}, "receive": {r.Recv[:], recv}, "rekey": {r.Rekey[:], s.rekey},
		"resume out": {r.ResumeOut.Secret[:], out}, "resume in": {r.ResumeIn.Secret[:], in},
		"resume id out": {r.ResumeOut.ID[:], outID}, "resume id in": {r.ResumeIn.ID[:], inID},
		"own parameters": {secondParams(r.Local), local}, "peer's parameters": {secondParams(r.Remote), remote},
	} {
		if len(c[0]) == 0 || !bytes.Equal(c[0], c[1]) {
			t.Errorf("%s: %x here, %x in the second implementation", name, c[0], c[1])
		}
	}
	if r.Peer != p.secondDID() {
		t.Errorf("the peer is %v, not %v", r.Peer, p.secondDID())
	}
	if aes := r.Local.AES && r.Remote.AES; (r.Cipher == wire.AES256GCM) != aes {
		t.Errorf("cipher %v of %v and %v", r.Cipher, r.Local.AES, r.Remote.AES)
	}
}

// ok fails the test on the first error.
func ok(t *testing.T, errs ...error) {
	t.Helper()
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fullOurs makes a full handshake that the product starts.
func (p pair) fullOurs(t *testing.T) (*handshake.Result, secrets) {
	t.Helper()
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
	if !bytes.Equal(r.peer, p.oursSet()) {
		t.Error("the second implementation read another key set")
	}
	m2, err := r.m2(secondParams(p.ps))
	ok(t, err)
	m3, res, err := i.Read(nil, m2)
	ok(t, err, r.readM3(m3))
	p.agree(t, res, r.out)
	return res, r.out
}

func (p pair) secondResponder() *fullResponder {
	return &fullResponder{me: p.second, random: rand.Reader, binding: p.binding,
		prekey: newPrekey(p.second, rand.Reader, 1, 2)}
}

// store is the product's one prekey.
type store struct{ *handshake.Prekey }

func (s store) Current() *handshake.Prekey { return s.Prekey }

func (s store) ByID(id uint32) *handshake.Prekey {
	if id != s.ID() {
		return nil
	}
	return s.Prekey
}

func (p pair) ourResponder(t *testing.T) *handshake.Responder {
	t.Helper()
	pre, err := handshake.NewPrekey(p.ours, prekeyFrom(), prekeyFrom().Add(time.Hour), nil)
	ok(t, err)
	return handshake.NewResponder(p.config(), store{pre})
}

// claimed brings a full handshake that the second starts up to the claim.
func (p pair) claimed(t *testing.T) (*fullInitiator, *handshake.Responder) {
	t.Helper()
	digest := p.oursSet().digest()
	i := &fullInitiator{me: p.second, random: rand.Reader, binding: p.binding, params: secondParams(p.ps)}
	r := p.ourResponder(t)
	keys, _, err := r.Read(nil, i.keysReq(digest))
	ok(t, err, i.readKeys(keys, digest))
	m1, err := i.m1()
	ok(t, err)
	_, claim, err := r.Read(nil, m1)
	ok(t, err)
	if claim.DID != p.secondDID() || claim.Params != p.ps {
		t.Errorf("claim of %v with %+v", claim.DID, claim.Params)
	}
	return i, r
}

// fullSecond makes a full handshake that the second starts.
func (p pair) fullSecond(t *testing.T) (*handshake.Result, secrets) {
	t.Helper()
	i, r := p.claimed(t)
	p.po.Epoch = p.ps.Epoch + 1
	m2, _, err := r.Accept(nil, p.po)
	ok(t, err)
	m3, err := i.readM2(m2)
	ok(t, err)
	res, err := r.Finish(m3)
	ok(t, err)
	p.agree(t, res, i.out)
	return res, i.out
}

// shortOurs makes a short handshake that the product starts.
func (p pair) shortOurs(t *testing.T, what handshake.Short, l link, secret handshake.Key) (*handshake.Result, secrets) {
	t.Helper()
	if l.mode == 1 {
		p.po.Epoch, p.ps.Epoch = what.Epoch, what.Epoch
	}
	set, err := did.ParseKeySet(p.second.set)
	ok(t, err)
	i, err := handshake.NewShortInitiator(p.config(), set, what, secret, p.po)
	ok(t, err)
	r := &shortResponder{me: p.second, peer: p.oursSet(), link: l, secret: secret[:], random: rand.Reader, binding: p.binding}
	m1r, err := i.Start(nil)
	ok(t, err, r.readM1r(m1r))
	m2r, err := r.m2r(secondParams(p.ps))
	ok(t, err)
	m3r, res, err := i.Read(nil, m2r)
	ok(t, err, r.readM3r(m3r))
	p.agree(t, res, r.out)
	return res, r.out
}

// shortSecond makes a short handshake that the second starts.
func (p pair) shortSecond(t *testing.T, what handshake.Short, l link, secret handshake.Key) (*handshake.Result, secrets) {
	t.Helper()
	if l.mode == 1 {
		p.po.Epoch, p.ps.Epoch = what.Epoch, what.Epoch
	} else {
		p.po.Epoch = p.ps.Epoch
	}
	i := &shortInitiator{me: p.second, peer: p.oursSet(), link: l, secret: secret[:], random: rand.Reader,
		binding: p.binding, params: secondParams(p.ps)}
	r := handshake.NewShortResponder(p.config(), p.lookup(t, what, secret))
	m1r, err := i.m1r()
	ok(t, err)
	_, _, err = r.Read(nil, m1r)
	ok(t, err)
	m2r, _, err := r.Accept(nil, p.po)
	ok(t, err)
	m3r, err := i.readM2r(m2r)
	ok(t, err)
	res, err := r.Finish(m3r)
	ok(t, err)
	p.agree(t, res, i.out)
	return res, i.out
}

// lookup knows one secret.
func (p pair) lookup(t *testing.T, what handshake.Short, secret handshake.Key) handshake.Lookup {
	set, err := did.ParseKeySet(p.second.set)
	ok(t, err)
	return func(asked handshake.Short) (*did.KeySet, handshake.Key, bool) {
		return set, secret, asked == what
	}
}

// TestInterop completes handshakes of the product with the second
// implementation, both ways and in all modes, each chained from the one before.
func TestInterop(t *testing.T) {
	for range 20 {
		p := randomPair()
		for _, full := range []func(*testing.T) (*handshake.Result, secrets){p.fullOurs, p.fullSecond} {
			res, _ := full(t)
			res, _ = p.shortOurs(t, handshake.Rotation(9, 300), rotation(300, 9), res.Rekey)
			res, _ = p.shortSecond(t, handshake.Rotation(10, 1), rotation(1, 10), res.Rekey)
			out, in := res.ResumeOut, res.ResumeIn
			p.shortOurs(t, handshake.Resumption(out.ID), resumption(out.ID[:]), out.Secret)
			p.shortSecond(t, handshake.Resumption(in.ID), resumption(in.ID[:]), in.Secret)
		}
	}
	faults.Report(t, "M6", true, "a second implementation from SPEC.md completes handshakes with the product in both roles")
}

// The answers that are no handshake: KEYS to who asks for another, UNKNOWN_PREKEY, REFUSED, UNKNOWN.
func TestInteropOfRefusals(t *testing.T) {
	p := randomPair()

	asking := &fullInitiator{me: p.second, random: rand.Reader}
	if out, _, err := p.ourResponder(t).Read(nil, asking.keysReq(p.second.set.digest())); err != nil ||
		asking.readKeys(out, p.second.set.digest()) != errOpen {
		t.Errorf("asked for another's keys, the product says %x, %v", out, err)
	}
	_, m1 := p.startedInitiator(t)
	if out, claim, err := p.ourResponder(t).Read(nil, m1); claim != nil || err != nil ||
		!bytes.Equal(out, header(typeUnknownPrekey, sizeUnknownPrekey, full(0))) {
		t.Errorf("UNKNOWN_PREKEY of the product: %x, %v", out, err)
	}
	i, r := p.claimed(t)
	refused, err := r.Refuse(nil, handshake.RefusedDuplicate)
	ok(t, err)
	if reason, err := i.readRefused(refused); err != nil || reason != 4 {
		t.Errorf("REFUSED of the product: %d, %v", reason, err)
	}

	ours, err := handshake.NewInitiator(p.config(), p.secondDID(), nil, p.po)
	ok(t, err)
	second := p.secondResponder()
	req, err := ours.Start(nil)
	ok(t, err)
	keys, err := second.readKeysReq(req)
	ok(t, err)
	m1, _, err = ours.Read(nil, keys)
	ok(t, err)
	_, err = second.readM1(m1)
	ok(t, err)
	var refusal *handshake.RefusedError
	if _, _, err := ours.Read(nil, second.refused(2)); !errors.As(err, &refusal) || refusal.Reason != handshake.RefusedBusy {
		t.Errorf("REFUSED of the second implementation: %v", err)
	}

	id := handshake.ResumeID{1, 2, 3, 4, 5, 6}
	unknown := (&shortResponder{link: resumption(id[:])}).unknown()
	set, err := did.ParseKeySet(p.second.set)
	ok(t, err)
	short, err := handshake.NewShortInitiator(p.config(), set, handshake.Resumption(id), handshake.Key{1}, p.po)
	ok(t, err)
	m1r, err := short.Start(nil)
	ok(t, err)
	if _, _, err := short.Read(nil, unknown); !errors.Is(err, handshake.ErrUnknownSecret) {
		t.Errorf("UNKNOWN of the second implementation: %v", err)
	}
	nothing := handshake.NewShortResponder(p.config(), p.lookup(t, handshake.Resumption(handshake.ResumeID{}), handshake.Key{1}))
	if out, _, err := nothing.Read(nil, m1r); !errors.Is(err, handshake.ErrUnknownSecret) || !bytes.Equal(out, unknown) {
		t.Errorf("UNKNOWN of the product: %x, %v", out, err)
	}
}

// startedInitiator is a second initiator and its M1 to another prekey of ours.
func (p pair) startedInitiator(t *testing.T) (*fullInitiator, []byte) {
	t.Helper()
	digest := p.oursSet().digest()
	i := &fullInitiator{me: p.second, random: rand.Reader, binding: p.binding, params: secondParams(p.ps)}
	keys, _, err := p.ourResponder(t).Read(nil, i.keysReq(digest))
	ok(t, err, i.readKeys(keys, digest))
	m1, err := i.m1()
	ok(t, err)
	return i, m1
}

// The second implementation notices what the product notices: another
// connection, and a wrong prekey.
func TestInteropOfErrors(t *testing.T) {
	p := randomPair()
	digest := p.oursSet().digest()
	i := &fullInitiator{me: p.second, random: rand.Reader}
	keys, _, err := p.ourResponder(t).Read(nil, i.keysReq(digest))
	ok(t, err)
	for _, at := range []int{20, 50, len(keys) - 1} {
		keys[at] ^= 1
		if err := i.readKeys(keys, digest); !errors.Is(err, errOpen) {
			t.Errorf("byte %d of KEYS changed: %v", at, err)
		}
		keys[at] ^= 1
	}
	for what, at := range map[string]int{"a prekey with a wrong signature": len(keys) - 48 - 16 - 1, "a key set of another DID": 4} {
		aead := keysAEAD(digest, i.asked, keys[16:48])
		body := must(aead.Open(nil, make([]byte, 12), keys[48:], join(i.asked, keys[:48])))
		body[at] ^= 1
		if err := i.readKeys(aead.Seal(bytes.Clone(keys[:48]), make([]byte, 12), body, join(i.asked, keys[:48])), digest); !errors.Is(err, errProof) {
			t.Errorf("%s: %v", what, err)
		}
	}

	i, m1 := p.startedInitiator(t)
	elsewhere := p
	elsewhere.binding = join([]byte{1}, draw(rand.Reader, 32))
	other := elsewhere.secondResponder()
	other.me = p.second
	copy(other.prekey.record, i.prekey[:4]) // the right id, another prekey
	m1 = hideID(other.me.set.digest(), hideID(digest, m1))
	if _, err := other.readM1(m1); !errors.Is(err, errOpen) {
		t.Errorf("an M1 of another connection: %v", err)
	}
}

// prekeyFrom is some date: none matters to a handshake.
func prekeyFrom() time.Time { return time.Unix(1, 0) }
