package handshake

import (
	"bytes"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestFullHandshakeFromFirstContact(t *testing.T) {
	w := newWorld(t)
	sc := w.run()
	for name, c := range map[string]struct {
		msg  []byte
		size int
	}{
		"KEYS_REQ": {sc.keysReq, 80}, "KEYS": {sc.keys, 7905},
		"M1": {sc.m1, 4752}, "M2": {sc.m2, 2336}, "M3": {sc.m3, 112},
	} {
		if n, err := wire.MessageSize(c.msg[:wire.HandshakeHeaderSize]); len(c.msg) != c.size || n != c.size || err != nil {
			t.Errorf("%s has %d bytes, MessageSize says %d, %v", name, len(c.msg), n, err)
		}
	}
	if sc.claim.DID != w.a.DID() || *sc.claim.KeySet != *w.a.KeySet() || sc.claim.Params != w.pa {
		t.Errorf("claim: %+v", sc.claim)
	}
	checkPair(t, w, sc.atI, sc.atR)
	p := sc.pending
	if p.Send != sc.atR.Send || p.Recv != sc.atR.Recv || !p.Rekey.IsZero() || !p.ResumeIn.Secret.IsZero() || !p.ResumeOut.Secret.IsZero() {
		t.Error("the pending result has other record keys, or secrets that only M3 gives")
	}
}

// checkPair: both ends of one handshake from a to b agree, and no key is used twice.
func checkPair(t *testing.T, w *world, i, r *Result) {
	t.Helper()
	switch {
	case i.Peer != w.b.DID() || r.Peer != w.a.DID() || !i.Initiator || r.Initiator:
		t.Error("roles")
	case i.Send != r.Recv || i.Recv != r.Send || i.Rekey != r.Rekey:
		t.Error("record or rekey secrets differ")
	case i.ResumeOut != r.ResumeIn || i.ResumeIn != r.ResumeOut:
		t.Error("resumption secrets differ")
	case i.Local != w.pa || i.Remote != w.pb || r.Local != w.pb || r.Remote != w.pa:
		t.Error("parameters")
	case i.Epoch != w.pb.Epoch || r.Epoch != w.pb.Epoch || i.Cipher != wire.AES256GCM || r.Cipher != wire.AES256GCM:
		t.Error("epoch or cipher")
	case *i.PeerKeys.KeySet != *w.b.KeySet() || *r.PeerKeys.KeySet != *w.a.KeySet():
		t.Error("key sets")
	}
	seen := map[Key]bool{{}: true}
	for _, k := range []Key{i.Send, i.Recv, i.Rekey, i.ResumeOut.Secret, i.ResumeIn.Secret} {
		if seen[k] {
			t.Error("two secrets are the same, or one is zero")
		}
		seen[k] = true
	}
	if i.ResumeOut.ID == i.ResumeIn.ID {
		t.Error("the two resumption ids are the same")
	}
}

func TestCachedKeysSaveTheRequest(t *testing.T) {
	w := newWorld(t)
	i, r := w.initiator(w.run().atI.PeerKeys), w.responder()
	m1, err := i.Start(nil)
	if err != nil || len(m1) != wire.M1Size {
		t.Fatalf("Start gave %d bytes, %v", len(m1), err)
	}
	if _, _, err = r.Read(nil, m1); err != nil {
		t.Fatal(err)
	}
	m2, _, err := r.Accept(nil, w.pb)
	if err != nil {
		t.Fatal(err)
	}
	m3, atI, err := i.Read(nil, m2)
	if err != nil {
		t.Fatal(err)
	}
	atR, err := r.Finish(m3)
	if err != nil {
		t.Fatal(err)
	}
	checkPair(t, w, atI, atR)
}

func TestUnknownPrekeyLeadsToTheKeysOnce(t *testing.T) {
	w := newWorld(t)
	old := w.known()
	w.prekeys = store{prekey(t, w.b, "next")}
	i, r := w.initiator(old), w.responder()
	m1, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	unknown, claim, err := r.Read(nil, m1)
	if err != nil || claim != nil || len(unknown) != wire.HandshakeHeaderSize {
		t.Fatalf("%d bytes, %v, %v", len(unknown), claim, err)
	}
	req, _, err := i.Read(nil, unknown)
	if err != nil || len(req) != wire.KeysReqSize || !i.s.isErased() {
		t.Fatalf("%d bytes, %v; the first M1's keys must be gone", len(req), err)
	}
	keys, _, err := r.Read(nil, req)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := i.Read(nil, keys)
	if err != nil || bytes.Equal(m1[16:], again[16:]) {
		t.Fatalf("%v, or the same ephemerals twice", err)
	}
	if _, _, err = r.Read(nil, again); err != nil {
		t.Fatal(err)
	}
	m2, _, err := r.Accept(nil, w.pb)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = i.Read(nil, m2); err != nil {
		t.Fatal(err)
	}
}

func TestErasedPrekeyIsUnknown(t *testing.T) {
	w := newWorld(t)
	i, r := w.initiator(w.known()), w.responder()
	m1, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.prekeys[0].Erase()
	out, claim, err := r.Read(nil, m1)
	if err != nil || claim != nil || wire.MessageType(out[0]) != wire.MsgUnknownPrekey {
		t.Errorf("%x, %v, %v", out, claim, err)
	}
}

func TestAppendsToDst(t *testing.T) {
	w := newWorld(t)
	want := w.run()
	i, r := w.initiator(nil), w.responder()
	req, err := i.Start([]byte("x"))
	if err != nil || !bytes.Equal(req[1:], want.keysReq) || req[0] != 'x' {
		t.Fatal(err)
	}
	keys, _, err := r.Read([]byte("yy"), req[1:])
	if err != nil || !bytes.Equal(keys[2:], want.keys) {
		t.Fatal(err)
	}
}

// SPEC 5.3: a later minor version talks to this one, in either role, and both know
// the lower number.
// SPEC R-5.3-1, R-5.3-2.
func TestALaterMinorVersion(t *testing.T) {
	w := newWorld(t)
	w.pa.Minor = 7
	sc := w.run()
	if sc.claim.Params.Minor != 7 || sc.atR.Remote.Minor != 7 || sc.atR.Local.Minor != 0 || sc.atI.Remote.Minor != 0 {
		t.Errorf("%+v and %+v", sc.atI, sc.atR)
	}
	w = newWorld(t)
	w.pb.Minor = 7
	if sc := w.run(); sc.atI.Remote.Minor != 7 {
		t.Errorf("%+v", sc.atI.Remote)
	}
}

// BenchmarkPrekey is what a renewal costs, and what it costs each initiator that
// fetches the prekey: two signatures each.
func BenchmarkPrekey(b *testing.B) {
	id := identity(b, "b")
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			if _, err := NewPrekey(id, prekeyFrom, prekeyTo, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	body := keysMessage(id.KeySet(), prekey(b, id, "b"), id)
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if _, err := parseKeys(id.DID(), body, prekeyFrom); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkFull(b *testing.B) {
	w := newWorld(b)
	known := w.known()
	for b.Loop() {
		i, err := NewInitiator(Config{Identity: w.a}, w.b.DID(), known, w.pa)
		if err != nil {
			b.Fatal(err)
		}
		r := NewResponder(Config{Identity: w.b}, w.prekeys)
		m1, _ := i.Start(nil)
		r.Read(nil, m1)
		m2, _, _ := r.Accept(nil, w.pb)
		m3, _, _ := i.Read(nil, m2)
		if _, err := r.Finish(m3); err != nil {
			b.Fatal(err)
		}
	}
}
