package handshake

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// shortWorld is two nodes with an epoch to chain from.
type shortWorld struct {
	*world
	what   Short
	secret Key
}

func rotationWorld(t testing.TB) shortWorld {
	w := newWorld(t)
	res := w.run().atI
	w.pa.Epoch, w.pb.Epoch = res.Epoch+1, res.Epoch+1
	return shortWorld{w, Rotation(res.Epoch+1, 5), res.Rekey}
}

func resumptionWorld(t testing.TB) shortWorld {
	w := newWorld(t)
	res := w.run().atI
	w.pa.Epoch, w.pb.Epoch = res.Epoch+1, res.Epoch+4
	return shortWorld{w, Resumption(res.ResumeOut.ID), res.ResumeOut.Secret}
}

func shortWorlds(t testing.TB) map[string]shortWorld {
	return map[string]shortWorld{"rotation": rotationWorld(t), "resumption": resumptionWorld(t)}
}

func (w shortWorld) initiator() *ShortInitiator {
	w.t.Helper()
	i, err := NewShortInitiator(Config{Identity: w.a, Binding: w.binding, Rand: stream("initiator")}, w.b.KeySet(), w.what, w.secret, w.pa)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

func (w shortWorld) lookup(what Short) (*did.KeySet, Key, bool) {
	return w.a.KeySet(), w.secret, what == w.what
}

func (w shortWorld) responder() *ShortResponder {
	return NewShortResponder(Config{Identity: w.b, Binding: w.binding, Rand: stream("responder")}, w.lookup)
}

// accepted is a pair after M2r.
func (w shortWorld) accepted() (i *ShortInitiator, r *ShortResponder, m1r, m2r []byte) {
	w.t.Helper()
	i, r = w.initiator(), w.responder()
	m1r, err := i.Start(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, _, err = r.Read(nil, m1r); err != nil {
		w.t.Fatal(err)
	}
	m2r, _, err = r.Accept(nil, w.pb)
	if err != nil {
		w.t.Fatal(err)
	}
	return i, r, m1r, m2r
}

func TestShortHandshake(t *testing.T) {
	for name, w := range shortWorlds(t) {
		t.Run(name, func(t *testing.T) {
			w.t = t
			i, r, m1r, m2r := w.accepted()
			pending := *r.pending
			m3r, atI, err := i.Read(nil, m2r)
			if err != nil {
				t.Fatal(err)
			}
			if len(m1r) != 1272 || len(m2r) != 1176 || len(m3r) != 40 {
				t.Errorf("sizes %d, %d, %d", len(m1r), len(m2r), len(m3r))
			}
			for _, m := range [][]byte{m1r, m2r, m3r} {
				if _, what, err := ParseShort(m); err != nil || what != w.what {
					t.Errorf("ParseShort: %+v, %v", what, err)
				}
			}
			atR, err := r.Finish(m3r)
			if err != nil {
				t.Fatal(err)
			}
			checkPair(t, w.world, atI, atR)
			if pending.Send != atR.Send || !pending.Rekey.IsZero() || !pending.ResumeIn.Secret.IsZero() {
				t.Error("the pending result has other record keys, or secrets too early")
			}
			if atI.Rekey == w.secret || !i.s.isErased() || !r.s.isErased() || !i.secret.IsZero() {
				t.Error("a secret is used again, or a machine keeps keys")
			}
		})
	}
}

// A rotation of a rotation: each chains from the one before.
func TestRotationsChain(t *testing.T) {
	w := rotationWorld(t)
	seen := map[Key]bool{}
	for n := range uint32(4) {
		i, r, _, m2r := w.accepted()
		m3r, atI, err := i.Read(nil, m2r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Finish(m3r); err != nil {
			t.Fatal(err)
		}
		for _, k := range []Key{atI.Send, atI.Recv, atI.Rekey, atI.ResumeOut.Secret, atI.ResumeIn.Secret} {
			if seen[k] {
				t.Fatalf("rotation %d gives a key again, although ephemerals are the same", n)
			}
			seen[k] = true
		}
		w.secret, w.what.Epoch = atI.Rekey, w.what.Epoch+1
		w.pa.Epoch, w.pb.Epoch = w.what.Epoch, w.what.Epoch
	}
}

func TestConfirmGivesWhatFinishGives(t *testing.T) {
	for name, w := range shortWorlds(t) {
		_, r, _, m2r := w.accepted()
		_, atI, err := w.startedInitiator().Read(nil, m2r)
		if err != nil {
			t.Fatal(err)
		}
		atR, err := r.Confirm()
		if err != nil || atR.Rekey != atI.Rekey || atR.ResumeIn != atI.ResumeOut || !r.s.isErased() {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Confirm(); !errors.Is(err, ErrUnexpected) {
			t.Errorf("%s, twice: %v", name, err)
		}
	}
}

// startedInitiator has sent the same M1r as every other one of this world.
func (w shortWorld) startedInitiator() *ShortInitiator {
	w.t.Helper()
	i := w.initiator()
	if _, err := i.Start(nil); err != nil {
		w.t.Fatal(err)
	}
	return i
}

func TestUnknownSecretIsAnswered(t *testing.T) {
	for name, w := range shortWorlds(t) {
		i := w.initiator()
		m1r, err := i.Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		none := func(Short) (*did.KeySet, Key, bool) { return nil, Key{}, false }
		out, claim, err := NewShortResponder(Config{Identity: w.b}, none).Read([]byte("x"), m1r)
		if !errors.Is(err, ErrUnknownSecret) || claim != nil || len(out) != 1+wire.HandshakeHeaderSize {
			t.Fatalf("%s: %x, %v", name, out, err)
		}
		if _, _, err := i.Read(nil, out[1:]); !errors.Is(err, ErrUnknownSecret) {
			t.Errorf("%s, initiator: %v", name, err)
		}
	}
}

// A rotation goes on over another connection; a resumption does not, and Bind
// names the connection as late as M2r.
func TestBindingInShortMode(t *testing.T) {
	for name, w := range shortWorlds(t) {
		_, _, _, m2r := w.accepted()
		other := w.startedInitiator()
		other.Bind(Binding{Kind: 1, Value: [32]byte{9}})
		_, _, err := other.Read(nil, m2r)
		if (name == "rotation") != (err == nil) || err != nil && !errors.Is(err, ErrDecrypt) {
			t.Errorf("%s on another connection: %v", name, err)
		}
	}
	w := resumptionWorld(t)
	late := w.binding
	w.binding = Binding{}
	i, r := w.initiator(), w.responder()
	m1r, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = r.Read(nil, m1r); err != nil {
		t.Fatal(err)
	}
	r.Bind(late)
	i.Bind(late)
	m2r, _, err := r.Accept(nil, w.pb)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Read(nil, m2r); err != nil {
		t.Errorf("bound late: %v", err)
	}
}

// A thief of the secret alone is neither of the two.
func TestStolenSecretAloneImpersonatesNobody(t *testing.T) {
	for name, w := range shortWorlds(t) {
		thief := w
		thief.world = newWorld(t)
		thief.world.pa, thief.world.pb = w.pa, w.pb

		// As responder: it cannot compute es.
		m1r, err := w.initiator().Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		thief.world.b = identity(t, "mallory")
		r := NewShortResponder(Config{Identity: thief.world.b, Binding: w.binding}, w.lookup)
		if _, claim, err := r.Read(nil, m1r); !errors.Is(err, ErrDecrypt) || claim != nil {
			t.Errorf("%s, thief as responder: %v", name, err)
		}

		// As initiator: it can make the M1r, in a's name, but not compute se.
		i := w.initiator()
		i.conf.Identity = identity(t, "mallory")
		victim := w.responder()
		forged := i.forge(t, w.a.DID())
		if _, _, err := victim.Read(nil, forged); err != nil {
			t.Fatalf("%s, forged M1r: %v", name, err)
		}
		m2r, _, err := victim.Accept(nil, w.pb)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.mixM2r((*wire.M2r)(m2r)); err != nil {
			t.Fatal(err)
		}
		if _, err := i.s.open(wire.LabelM2r, (*wire.M2r)(m2r).Sealed()); !errors.Is(err, ErrDecrypt) {
			t.Errorf("%s, the thief opens M2r: %v", name, err)
		}
		if res, err := victim.Finish(i.m3r()); !errors.Is(err, ErrDecrypt) || res != nil {
			t.Errorf("%s, the thief's M3r: %v", name, err)
		}
	}
}

// forge is m1r in the name of another initiator.
func (i *ShortInitiator) forge(t *testing.T, name did.DID) []byte {
	t.Helper()
	m := new(wire.M1r)
	i.what.header(wire.MsgM1r, m[:])
	var err1, err2 error
	i.x, err1 = i.conf.newX25519()
	i.kem, err2 = i.conf.newMLKEM(m.Ek())
	es, err3 := dh(i.x, i.peer.D[:])
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	copy(m.Ex(), i.x.Public())
	i.start(name, i.peer.DID(), i.secret)
	i.s.mixHash(m.Head())
	i.s.mixKey(wire.MixES, es, m.Ex(), i.peer.D[:])
	i.s.seal(m.Sealed()[:0], wire.LabelM1r, i.params.Append(nil))
	return m[:]
}

// Roles are in the transcript: what a sent cannot come back to a.
func TestReflectionFails(t *testing.T) {
	for name, w := range shortWorlds(t) {
		m1r, err := w.initiator().Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		// Even if a looked the secret up under that name and took b for its maker.
		self := NewShortResponder(Config{Identity: w.a, Binding: w.binding}, func(Short) (*did.KeySet, Key, bool) { return w.b.KeySet(), w.secret, true })
		if _, claim, err := self.Read(nil, m1r); !errors.Is(err, ErrDecrypt) || claim != nil {
			t.Errorf("%s: %v", name, err)
		}
		own := NewShortResponder(Config{Identity: w.b, Binding: w.binding}, func(Short) (*did.KeySet, Key, bool) { return w.b.KeySet(), w.secret, true })
		if _, _, err := own.Read(nil, m1r); !errors.Is(err, ErrSelf) {
			t.Errorf("%s, a lookup that gives the node itself: %v", name, err)
		}
	}
	if _, err := NewShortInitiator(Config{Identity: identity(t, "a")}, identity(t, "a").KeySet(), Rotation(2, 1), Key{1}, newWorld(t).pa); !errors.Is(err, ErrSelf) {
		t.Errorf("NewShortInitiator: %v", err)
	}
}

func TestWrongSecretDoesNotOpen(t *testing.T) {
	for name, w := range shortWorlds(t) {
		m1r, err := w.initiator().Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		w.secret[3] ^= 1
		if _, claim, err := w.responder().Read(nil, m1r); !errors.Is(err, ErrDecrypt) || claim != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// SPEC R-5.1-13.
func TestShortEpochs(t *testing.T) {
	w := rotationWorld(t)
	for _, epoch := range []uint32{w.what.Epoch - 1, w.what.Epoch + 1} {
		p := w.pa
		p.Epoch = epoch
		if _, err := NewShortInitiator(Config{Identity: w.a}, w.b.KeySet(), w.what, w.secret, p); err == nil {
			t.Errorf("a rotation to %d with parameters for %d", w.what.Epoch, epoch)
		}
		r := w.responder()
		if _, _, err := r.Read(nil, w.forgedEpoch(epoch)); !errors.Is(err, ErrMalformed) {
			t.Errorf("M1r for %d with parameters for %d: %v", w.what.Epoch, epoch, err)
		}
		i := w.startedInitiator()
		r = w.responder()
		m1r, err := w.initiator().Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Read(nil, m1r); err != nil {
			t.Fatal(err)
		}
		p = w.pb
		p.Epoch = epoch
		m2r, err := r.m2r(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := i.Read(nil, m2r); !errors.Is(err, ErrMalformed) {
			t.Errorf("M2r for %d with parameters for %d: %v", w.what.Epoch, epoch, err)
		}
	}
	w = resumptionWorld(t)
	w.pb.Epoch = w.pa.Epoch - 1
	r := w.responder()
	m1r, err := w.initiator().Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Read(nil, m1r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Accept(nil, w.pb); err == nil {
		t.Error("a resumption goes back to an earlier epoch")
	}
	faults.Report(t, "R8", true, "wrong epochs in M1r and M2r are malformed")
}

func (w shortWorld) forgedEpoch(epoch uint32) []byte {
	i := w.initiator()
	i.params.Epoch = epoch
	m, err := i.Start(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func TestShortMisuse(t *testing.T) {
	w := rotationWorld(t)
	for name, what := range map[string]Short{"zero": {}, "epoch 0": Rotation(0, 1), "attempt too large": Rotation(4, 65536),
		"full": {Mode: wire.ModeFull, Epoch: 4}, "both": {Mode: wire.ModeResume, Epoch: 4}, "id in a rotation": {Mode: wire.ModeRotate, Epoch: 4, ID: ResumeID{1}}} {
		if _, err := NewShortInitiator(Config{Identity: w.a}, w.b.KeySet(), what, w.secret, w.pa); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	i := w.startedInitiator()
	if _, err := i.Start(nil); !errors.Is(err, ErrUnexpected) {
		t.Errorf("Start twice: %v", err)
	}
	r := w.responder()
	if _, _, err := r.Accept(nil, w.pb); !errors.Is(err, ErrUnexpected) {
		t.Errorf("Accept before M1r: %v", err)
	}
	if _, err := w.responder().Confirm(); !errors.Is(err, ErrUnexpected) {
		t.Errorf("Confirm before M1r: %v", err)
	}
	if _, _, err := ParseShort(w.run().m1); !errors.Is(err, ErrUnexpected) {
		t.Errorf("ParseShort of M1: %v", err)
	}
}

func TestShortFailuresOfTheRandomSource(t *testing.T) {
	w := rotationWorld(t)
	for n := range 32 + 64 + 1 {
		i := w.initiator()
		i.conf.Rand = failing("initiator", n)
		out, err := i.Start(nil)
		if (n < 96) != errors.Is(err, io.ErrClosedPipe) || (err == nil) != (out != nil) || err != nil && !i.secret.IsZero() {
			t.Fatalf("M1r with %d random bytes: %v", n, err)
		}
	}
	m1r, err := w.initiator().Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 32 + 32 + 1 {
		r := w.responder()
		r.conf.Rand = failing("responder", n)
		if _, _, err := r.Read(nil, m1r); err != nil {
			t.Fatal(err)
		}
		out, _, err := r.Accept(nil, w.pb)
		if (n < 64) != errors.Is(err, io.ErrClosedPipe) || (err == nil) != (out != nil) || err != nil && !r.s.isErased() {
			t.Fatalf("M2r with %d random bytes: %v", n, err)
		}
	}
}

func (w shortWorld) readers() []reader {
	i, r, m1r, m2r := w.accepted()
	m3r, _, err := w.startedInitiator().Read(nil, m2r)
	if err != nil {
		w.t.Fatal(err)
	}
	first := *w.responder()
	at, then := *i, *r
	at.x = copyOf(at.x)
	return []reader{
		{"M1r", m1r, func(msg []byte) (bool, bool, error) {
			r := first
			_, claim, err := r.Read(nil, msg)
			return claim != nil, r.s.isErased(), err
		}},
		{"M2r", m2r, func(msg []byte) (bool, bool, error) {
			i := at
			i.x = copyOf(at.x) // it is wiped
			out, res, err := i.Read(nil, msg)
			return res != nil || out != nil, i.s.isErased() && i.x == nil, err
		}},
		{"M3r", m3r, func(msg []byte) (bool, bool, error) {
			r, pending := then, *then.pending
			r.pending = &pending
			res, err := r.Finish(msg)
			return res != nil, r.s.isErased() && pending.Recv.IsZero(), err
		}},
	}
}

func TestEveryByteOfShortModeCounts(t *testing.T) {
	for name, w := range shortWorlds(t) {
		for _, r := range w.readers() {
			if useful, _, err := r.read(r.msg); !useful || err != nil {
				t.Fatalf("%s %s, unchanged: %v", name, r.name, err)
			}
			for at := range r.msg {
				b := bytes.Clone(r.msg)
				b[at] ^= 1 << (at % 8)
				if useful, erased, err := r.read(b); useful || !erased || err == nil {
					t.Errorf("%s %s, byte %d: useful %v, erased %v, %v", name, r.name, at, useful, erased, err)
				}
			}
		}
	}
}

func FuzzShortReaders(f *testing.F) {
	var all []reader
	for _, w := range []shortWorld{rotationWorld(f), resumptionWorld(f)} {
		all = append(all, w.readers()...)
	}
	for n, r := range all {
		f.Add(byte(n), r.msg)
	}
	f.Fuzz(func(t *testing.T, n byte, msg []byte) {
		r := all[int(n)%len(all)]
		if useful, erased, err := r.read(msg); !bytes.Equal(msg, r.msg) && (useful || !erased || err == nil) {
			t.Fatalf("%s: useful %v, erased %v, %v", r.name, useful, erased, err)
		}
	})
}

func BenchmarkShort(b *testing.B) {
	w := rotationWorld(b)
	for b.Loop() {
		i, err := NewShortInitiator(Config{Identity: w.a}, w.b.KeySet(), w.what, w.secret, w.pa)
		if err != nil {
			b.Fatal(err)
		}
		r := NewShortResponder(Config{Identity: w.b}, w.lookup)
		m1r, _ := i.Start(nil)
		r.Read(nil, m1r)
		m2r, _, _ := r.Accept(nil, w.pb)
		m3r, _, _ := i.Read(nil, m2r)
		if _, err := r.Finish(m3r); err != nil {
			b.Fatal(err)
		}
	}
}

// A late message of another attempt is out of place, not a failed decryption.
func TestMessagesOfAnotherAttempt(t *testing.T) {
	w := rotationWorld(t)
	_, r, _, _ := w.accepted()
	other := w
	other.what.Attempt++
	i, _, _, m2r := other.accepted()
	m3r, _, err := i.Read(nil, m2r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Finish(m3r); !errors.Is(err, ErrUnexpected) {
		t.Errorf("M3r: %v", err)
	}
	if _, _, err := w.startedInitiator().Read(nil, m2r); !errors.Is(err, ErrUnexpected) {
		t.Errorf("M2r: %v", err)
	}
}
