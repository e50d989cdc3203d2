package handshake

import (
	"bytes"
	"errors"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// SPEC 5.1 "KEYS_REQ and KEYS": of neither end anything is seen by who does not know the DID.
func TestAKeyRequestShowsNobody(t *testing.T) {
	w := newWorld(t)
	sc := w.run()
	seen := append(bytes.Clone(sc.keysReq), sc.keys...)
	for name, of := range map[string]*did.Identity{"initiator": w.a, "responder": w.b} {
		set, digest := of.KeySet(), of.DID().Digest()
		for what, secret := range map[string][]byte{"digest": digest[:], "S": set.S[:], "D": set.D[:], "K": set.K[:32], "Q": of.MLDSAKey()[:32], "hash of Q": set.Q[:]} {
			if bytes.Contains(seen, secret[:16]) {
				t.Errorf("%s of the %s is in the clear", what, name)
			}
		}
	}
	if id := w.prekeys[0].record[:16]; bytes.Contains(seen, id) {
		t.Error("the prekey is in the clear")
	}
}

// A recorded request, repeated to any node, finds nobody: each answers it alike,
// never twice the same, and goes on alike.
// SPEC R-5.1-7.
func TestARecordedKeyRequestFindsNobody(t *testing.T) {
	w := newWorld(t)
	sc := w.run()
	c := identity(t, "c")
	nodes := map[string]*Responder{
		"the node asked for": NewResponder(Config{Identity: w.b}, w.prekeys),
		"another node":       NewResponder(Config{Identity: c}, store{prekey(t, c, "c")}),
	}
	m1 := bytes.Clone(sc.m1)
	m1[wire.HandshakeHeaderSize-1] ^= 1 // a prekey that nobody has
	for name, r := range nodes {
		answer, claim, err := r.Read(nil, sc.keysReq)
		if err != nil || claim != nil || len(answer) != wire.KeysSize || !bytes.Equal(answer[:wire.HandshakeHeaderSize], sc.keys[:wire.HandshakeHeaderSize]) {
			t.Errorf("%s: %d bytes, %v", name, len(answer), err)
		}
		if bytes.Equal(answer[48:80], sc.keys[48:80]) {
			t.Errorf("%s answers the same twice", name)
		}
		out, _, err := r.Read(nil, m1)
		if err != nil || wire.MessageType(out[0]) != wire.MsgUnknownPrekey {
			t.Errorf("%s goes on with %x, %v", name, out, err)
		}
	}
	faults.Report(t, "S6", true, "a recorded KEYS_REQ gets %d bytes from the node that it was for and from any other: no oracle", wire.KeysSize)
}

// Two M1s under one prekey have nothing in common by which a listener tells that they
// are for one node.
func TestTheIDOfAPrekeyIsHidden(t *testing.T) {
	w := newWorld(t)
	id := w.prekeys[0].record.ID()
	var shown [2][]byte
	for n := range shown {
		i, err := NewInitiator(Config{Identity: w.a}, w.b.DID(), w.known(), w.pa)
		if err != nil {
			t.Fatal(err)
		}
		m1, err := i.Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		shown[n] = (*wire.M1)(m1).PrekeyID()
		if _, claim, err := NewResponder(Config{Identity: w.b}, w.prekeys).Read(nil, m1); err != nil || claim == nil {
			t.Error("the responder does not find its prekey:", err)
		}
	}
	if bytes.Equal(shown[0], id) || bytes.Equal(shown[1], id) || bytes.Equal(shown[0], shown[1]) {
		t.Errorf("%x is seen as %x and %x", id, shown[0], shown[1])
	}
}

func TestOnlyTheNodeAskedForOpens(t *testing.T) {
	w := newWorld(t)
	c := identity(t, "c")
	i := w.initiator(nil)
	if _, err := i.Start(nil); err != nil {
		t.Fatal(err)
	}
	m := new(wire.Keys)
	if err := (Config{Identity: c}).answerKeys(m, i.asked, make([]byte, wire.KeysBodySize)); err != nil {
		t.Fatal(err)
	}
	if _, err := openKeys(m, i.asked, w.b.DID()); !errors.Is(err, ErrNotMe) {
		t.Error(err)
	}
	if _, err := openKeys(m, i.asked, c.DID()); !errors.Is(err, ErrNotMe) {
		t.Error("an answer for another's request opens under the answerer's own DID:", err)
	}
}
