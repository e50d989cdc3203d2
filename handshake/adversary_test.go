package handshake

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
	"github.com/libertaria-project/l2tun/test/faults"
)

// claimed brings a fresh pair to the point where the responder has to decide.
func (w *world) claimed() (*Initiator, *Responder) {
	w.t.Helper()
	i, r := w.initiator(w.known()), w.responder()
	m1, err := i.Start(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, _, err = r.Read(nil, m1); err != nil {
		w.t.Fatal(err)
	}
	return i, r
}

// accepted is claimed and then the responder's M2.
func (w *world) accepted() (i *Initiator, r *Responder, m2 []byte) {
	w.t.Helper()
	i, r = w.claimed()
	m2, _, err := r.Accept(nil, w.pb)
	if err != nil {
		w.t.Fatal(err)
	}
	return i, r, m2
}

func TestAnotherConnectionFails(t *testing.T) {
	w := newWorld(t)
	i := w.initiator(w.known())
	m1, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []Binding{{}, {Kind: 0, Value: w.binding.Value}, {Kind: 1, Value: [32]byte{1}}, {Kind: 2, Value: w.binding.Value}} {
		r := NewResponder(Config{Identity: w.b, Binding: b}, w.prekeys)
		if _, claim, err := r.Read(nil, m1); !errors.Is(err, ErrDecrypt) || claim != nil {
			t.Errorf("binding %d %x: %v", b.Kind, b.Value[:2], err)
		}
	}
	faults.Report(t, "F11", true, "a handshake moved to another connection or carrier does not open")
}

func TestWrongNodeIsFoundOut(t *testing.T) {
	w := newWorld(t)
	i := w.initiator(nil)
	req, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := identity(t, "c")
	r := NewResponder(Config{Identity: c}, store{prekey(t, c, "c")})
	out, claim, err := r.Read(nil, req)
	if err != nil || claim != nil {
		t.Fatal(claim, err)
	}
	if _, _, err := i.Read(nil, out); !errors.Is(err, ErrNotMe) {
		t.Errorf("initiator: %v", err)
	}
}

// SPEC R-5.1-8.
func TestKeysOfAnotherAreRefused(t *testing.T) {
	w := newWorld(t)
	c := identity(t, "c")
	own := w.prekeys[0]
	changed := func(at int) *wire.KeysBody {
		m := keysMessage(w.b.KeySet(), own, w.b)
		m[at] ^= 1
		return m
	}
	// What a quantum computer can make: everything but the ML-DSA signature.
	forged := keysMessage(w.b.KeySet(), own, w.b)
	forged.Prekey()[30] ^= 1
	record := wire.Prekey(forged.Prekey())
	copy(record.Signature(), w.b.Sign(prekeySigned(wire.LabelSigPrekey, w.b.DID(), &record)))
	copy(forged.Prekey(), record[:])
	foreign := keysMessage(w.b.KeySet(), own, w.b)
	copy(foreign.Prekey(), record[:])
	copy(foreign.MLDSAKey(), c.MLDSAKey())
	copy(foreign.MLDSASig(), c.SignMLDSA(prekeySigned(wire.LabelSigPrekeyMLDSA, w.b.DID(), &record)))
	classical := keysMessage(w.b.KeySet(), own, w.b)
	clear(classical.Prekey()[wire.PrekeySize-64:])
	of := prekey(t, c, "c")
	kinds := map[string]*wire.KeysBody{
		"another key set, its prekey":               keysMessage(c.KeySet(), of, c),
		"another key set, right prekey":             keysMessage(c.KeySet(), own, w.b),
		"right key set, another prekey":             keysMessage(w.b.KeySet(), prekey(t, c, "b"), c),
		"no Ed25519 signature":                      classical,
		"date moved":                                changed(1280 + 12),
		"KEM half of the prekey changed":            changed(1280 + 60),
		"another ML-DSA key":                        changed(1280 + 1300),
		"ML-DSA signature changed":                  changed(wire.KeysBodySize - 1),
		"Ed25519 broken: a prekey of the thief's":   forged,
		"Ed25519 broken, ML-DSA key of the thief's": foreign,
	}
	for name, msg := range kinds {
		i := w.initiator(nil)
		if _, err := i.Start(nil); err != nil {
			t.Fatal(err)
		}
		m := new(wire.Keys) // by somebody who knows the DID
		if err := (Config{Identity: w.b}).answerKeys(m, i.asked, msg[:]); err != nil {
			t.Fatal(err)
		}
		if _, _, err := i.Read(nil, m[:]); !errors.Is(err, ErrAuthentication) {
			t.Errorf("%s: %v", name, err)
		}
	}
	faults.Report(t, "H12", true, "%d kinds of foreign key sets and prekeys: refused", len(kinds))
	faults.Report(t, "S13", true, "a prekey under a right Ed25519 signature and without one of ML-DSA-65, or with one by another key: refused")
}

// SPEC 5.1: dates are looked at by a clock that is known to be right, and only so.
// SPEC R-5.1-6.
func TestDatesOfAPrekey(t *testing.T) {
	w := newWorld(t)
	now := time.Unix(1_800_000_000, 0)
	const day = 24 * time.Hour
	for _, c := range []struct {
		name     string
		from, to time.Time
		now      time.Time
		want     error
	}{
		{"in its day", now.Add(-time.Hour), now.Add(day - time.Hour), now, nil},
		{"a day late, a second less", now.Add(-2*day + time.Second), now.Add(-day + time.Second), now, nil},
		{"a day late, a second more", now.Add(-2*day - time.Second), now.Add(-day - time.Second), now, ErrOldPrekey},
		{"stolen a month ago", now.Add(-31 * day), now.Add(-30 * day), now, ErrOldPrekey},
		{"from the future", now.Add(30 * day), now.Add(31 * day), now, nil},
		{"without dates", time.Time{}, time.Time{}, now, nil},
		{"old, by a clock that may be wrong", now.Add(-31 * day), now.Add(-30 * day), time.Time{}, nil},
		{"of 1970", time.Unix(1, 0), time.Unix(2, 0), time.Time{}, nil},
	} {
		p, err := NewPrekey(w.b, c.from, c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		known, err := parseKeys(w.b.DID(), keysMessage(w.b.KeySet(), p, w.b), c.now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if known != nil && known.Prekey.ID() != p.ID() {
			t.Errorf("%s: another prekey", c.name)
		}
	}
	if _, err := NewPrekey(w.b, prekeyTo, prekeyFrom, nil); err == nil {
		t.Error("a prekey that ends before it begins is made")
	}
	faults.Report(t, "C1", true, "prekeys dated 1970 and far beyond, and none at all, by clocks that may be wrong: the handshake completes")
	faults.Report(t, "S14", true, "a prekey whose time ended a day and a second ago: refused, by synchronised clocks only")
}

// A cached prekey whose time is over is asked for anew.
func TestAnOverdueCachedPrekeyIsFetched(t *testing.T) {
	w := newWorld(t)
	conf := Config{Identity: w.a, Binding: w.binding, Now: prekeyTo.Add(PrekeySlack + time.Second)}
	i, err := NewInitiator(conf, w.b.DID(), w.known(), w.pa)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := i.Start(nil); err != nil || len(out) != wire.KeysReqSize {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// SPEC 5.1: the private half is cleared, not only dropped.
func TestErasedPrekeyIsCleared(t *testing.T) {
	w := newWorld(t)
	p := w.prekeys[0]
	p.Erase()
	if p.kem != [len(p.kem)]byte{} || p.secrets() != nil {
		t.Error("the ML-KEM seed is still there")
	}
	if other := prekey(t, w.b, "other").x.Public(); func() bool {
		mine, err := p.x.Shared(other)
		zero, err2 := x25519.New(new([x25519.Size]byte)).Shared(other)
		return err != nil || err2 != nil || !bytes.Equal(mine, zero)
	}() {
		t.Error("the X25519 scalar is still there")
	}
	faults.Report(t, "S14", true, "an erased prekey: scalar and seed are zero")
}

func TestWrongSignatureUnderRightKeysIsAuthenticationFailed(t *testing.T) {
	w := newWorld(t)
	mallory := identity(t, "mallory")

	i, r := w.claimed()
	r.conf.Identity = mallory // signs M2 in place of b; all else is b's
	m2, err := r.m2(w.pb)
	if err != nil {
		t.Fatal(err)
	}
	if out, res, err := i.Read(nil, m2); !errors.Is(err, ErrAuthentication) || out != nil || res != nil {
		t.Errorf("M2: %v", err)
	}

	i, r, m2 = w.accepted()
	if err := i.mixM2((*wire.M2)(m2)); err != nil {
		t.Fatal(err)
	}
	if _, err := i.s.open(wire.LabelM2, (*wire.M2)(m2).Sealed()); err != nil {
		t.Fatal(err)
	}
	i.conf.Identity = mallory
	if res, err := r.Finish(i.m3((*wire.M2)(m2).SID())); !errors.Is(err, ErrAuthentication) || res != nil {
		t.Errorf("M3: %v", err)
	}
	faults.Report(t, "H12", true, "M2 and M3 signed by another: authentication failed")
}

// Who has stolen everything of I cannot play R to I.
func TestStolenInitiatorCannotPlayTheResponder(t *testing.T) {
	w := newWorld(t)
	m1, err := w.initiator(w.known()).Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	// The thief answers for b with a's identity and b's public prekey record.
	thief := NewResponder(Config{Identity: w.a, Binding: w.binding}, w.prekeys)
	of, p := prekey(t, w.a, "thief"), w.prekeys[0]
	p.x, p.kem = of.x, of.kem
	hidePrekeyID((*wire.M1)(m1), w.b.DID()) // taken out
	hidePrekeyID((*wire.M1)(m1), w.a.DID())
	if _, claim, err := thief.Read(nil, m1); !errors.Is(err, ErrDecrypt) || claim != nil {
		t.Errorf("%v", err)
	}
}

// Who has stolen everything of R, prekey included, gets an M1 in I's name past
// sp, which is why nothing rests on it, but not an M3.
func TestStolenResponderCannotPlayAnInitiator(t *testing.T) {
	w := newWorld(t)
	thief, err := NewInitiator(Config{Identity: identity(t, "mallory"), Binding: w.binding}, w.b.DID(), w.known(), w.pa)
	if err != nil {
		t.Fatal(err)
	}
	thief.s = startFull(w.binding, w.b.DID())
	m := new(wire.M1)
	wire.HandshakeHeader{Type: wire.MsgM1, Ref: wire.Ref{High: w.prekeys[0].ID()}}.Put(m[:])
	for _, step := range []func(*wire.M1) error{thief.drawEphemerals, thief.mixStatic, thief.mixPrekey} {
		if err := step(m); err != nil {
			t.Fatal(err)
		}
	}
	thief.s.seal(m.SealedKeys()[:0], wire.LabelM1Keys, w.a.KeySet().Append(nil))
	mixDID(&thief.s, w.a.DID())
	aD, px := w.a.KeySet().D[:], w.prekeys[0].record.Px()
	sp, err := dh(w.prekeys[0].secrets().x, aD)
	if err != nil {
		t.Fatal(err)
	}
	thief.s.mixKey(wire.MixSP, sp, aD, px)
	thief.s.seal(m.SealedParams()[:0], wire.LabelM1Params, w.pa.Append(nil))
	hidePrekeyID(m, w.b.DID())

	r := w.responder()
	if _, claim, err := r.Read(nil, m[:]); err != nil || claim.DID != w.a.DID() {
		t.Fatalf("the forged M1: %v", err)
	}
	m2, _, err := r.Accept(nil, w.pb)
	if err != nil {
		t.Fatal(err)
	}
	if err := thief.mixM2((*wire.M2)(m2)); err != nil {
		t.Fatal(err)
	}
	if _, err := thief.s.open(wire.LabelM2, (*wire.M2)(m2).Sealed()); !errors.Is(err, ErrDecrypt) {
		t.Errorf("the thief opens M2: %v", err)
	}
	if res, err := r.Finish(thief.m3((*wire.M2)(m2).SID())); !errors.Is(err, ErrDecrypt) || res != nil {
		t.Errorf("M3: %v", err)
	}
}

// SPEC R-5.1-11.
func TestOneselfIsRefused(t *testing.T) {
	w := newWorld(t)
	if _, err := NewInitiator(Config{Identity: w.b}, w.b.DID(), nil, w.pa); !errors.Is(err, ErrSelf) {
		t.Errorf("NewInitiator: %v", err)
	}
	i := w.initiator(w.known())
	i.conf.Identity = w.b // an M1 from b to b
	m1, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, claim, err := w.responder().Read(nil, m1); !errors.Is(err, ErrSelf) || claim != nil {
		t.Errorf("M1: %v", err)
	}
	faults.Report(t, "H12", true, "the own identity: refused")
}

func TestRefusedIsForTheInitiatorOnly(t *testing.T) {
	w := newWorld(t)
	i, r := w.claimed()
	msg, err := r.Refuse([]byte("x"), RefusedPolicy)
	if err != nil || len(msg) != 1+wire.RefusedSize {
		t.Fatalf("%d bytes, %v", len(msg), err)
	}
	var refused *RefusedError
	if _, _, err := i.Read(nil, msg[1:]); !errors.As(err, &refused) || refused.Reason != RefusedPolicy {
		t.Errorf("initiator: %v", err)
	}
	// Another handshake of the same two nodes cannot read it, and another node
	// cannot say it.
	other, err := NewInitiator(Config{Identity: w.a, Binding: w.binding, Rand: stream("other")}, w.b.DID(), w.known(), w.pa)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Start(nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Read(nil, msg[1:]); !errors.Is(err, ErrDecrypt) || errors.As(err, &refused) {
		t.Errorf("another initiator: %v", err)
	}
	if _, err := r.Refuse(nil, RefusedBusy); !errors.Is(err, ErrUnexpected) {
		t.Errorf("a second refusal: %v", err)
	}
}

func TestLowOrderEphemeralsAreMalformed(t *testing.T) {
	w := newWorld(t)
	m1, err := w.initiator(w.known()).Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	hidePrekeyID((*wire.M1)(m1), w.b.DID()) // taken out
	clear((*wire.M1)(m1).Ex())
	hidePrekeyID((*wire.M1)(m1), w.b.DID())
	if _, _, err := w.responder().Read(nil, m1); !errors.Is(err, ErrMalformed) {
		t.Errorf("M1: %v", err)
	}
	i, _, m2 := w.accepted()
	clear((*wire.M2)(m2).Rx())
	if _, _, err := i.Read(nil, m2); !errors.Is(err, ErrMalformed) {
		t.Errorf("M2: %v", err)
	}
	faults.Report(t, "H13", true, "zero points in M1 and M2: malformed, no answer")
}

// SPEC R-5.1-4.
func TestEpochsDoNotGoBack(t *testing.T) {
	w := newWorld(t)
	w.pa.Epoch = 7
	w.pb.Epoch = 6
	_, r := w.claimed()
	if _, _, err := r.Accept(nil, w.pb); err == nil {
		t.Error("Accept takes an epoch below the claim's")
	}
	i, r := w.claimed()
	m2, err := r.m2(w.pb)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Read(nil, m2); !errors.Is(err, ErrMalformed) {
		t.Errorf("M2 with an older epoch: %v", err)
	}
}

// Flags of M3 and M3r belong to later versions, even under right keys.
// SPEC R-5.1-3.
func TestFinishFlagsAreChecked(t *testing.T) {
	w := newWorld(t)
	i, r, m2 := w.accepted()
	if err := i.mixM2((*wire.M2)(m2)); err != nil {
		t.Fatal(err)
	}
	if _, err := i.s.open(wire.LabelM2, (*wire.M2)(m2).Sealed()); err != nil {
		t.Fatal(err)
	}
	m := new(wire.M3)
	wire.HandshakeHeader{Type: wire.MsgM3}.Put(m[:])
	copy(m.SID(), (*wire.M2)(m2).SID())
	i.s.mixHash(m.Head())
	sig := w.a.Sign(i.s.signed(wire.LabelSigI))
	i.s.seal(m.Sealed()[:0], wire.LabelM3, append(sig, 0, 0, 0, 0, 0, 0, 0, 1))
	if res, err := r.Finish(m[:]); !errors.Is(err, ErrMalformed) || res != nil {
		t.Errorf("M3: %v", err)
	}

	short := rotationWorld(t)
	_, victim, _, _ := short.accepted()
	s, m3r := victim.s, new(wire.M3r)
	short.what.header(wire.MsgM3r, m3r[:])
	s.mixHash(m3r.Head())
	s.seal(m3r.Sealed()[:0], wire.LabelM3r, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	if res, err := victim.Finish(m3r[:]); !errors.Is(err, ErrMalformed) || res != nil {
		t.Errorf("M3r: %v", err)
	}
}
