package wire

import (
	"testing"
)

func headers() []HandshakeHeader {
	var all []HandshakeHeader
	for t := MsgKeysReq; t <= MsgUnknown; t++ {
		switch {
		case t.Size() == 0: // 3, not in use
		case t.short():
			all = append(all, HandshakeHeader{t, ModeRotate, Ref{7, 9}}, HandshakeHeader{t, ModeResume, Ref{0x1234, 0}})
		case t == MsgM1:
			all = append(all, HandshakeHeader{t, ModeFull, Ref{0, 0xdeadbeef}})
		default:
			all = append(all, HandshakeHeader{Type: t})
		}
	}
	return all
}

func TestHandshakeHeaderRoundTrip(t *testing.T) {
	for _, h := range headers() {
		b := make([]byte, HandshakeHeaderSize)
		h.Put(b)
		got, err := ParseHandshakeHeader(b)
		if err != nil || got != h {
			t.Errorf("%+v becomes %+v, %v", h, got, err)
		}
		if n, err := MessageSize(b); err != nil || n != h.Type.Size() || n < HandshakeHeaderSize || n > KeysSize {
			t.Errorf("type %d: size %d, %v", h.Type, n, err)
		}
	}
}

// SPEC "Handshake", Messages: outside of the link, no byte has two meanings.
// SPEC R-5.1-2.
func TestHandshakeHeaderIsChecked(t *testing.T) {
	for _, h := range headers() {
		b := make([]byte, HandshakeHeaderSize)
		h.Put(b)
		for at := range b {
			for bit := range 8 {
				b[at] ^= 1 << bit
				got, err := ParseHandshakeHeader(b)
				// Bytes 0 and 4 may lead to another header that exists.
				if (at == 1 || at == 2 || at == 3 || at == 5 || at >= 8 && at < 12) && err == nil {
					t.Errorf("type %d: byte %d is not checked", h.Type, at)
				}
				if err == nil && got == h {
					t.Errorf("type %d: byte %d does not count", h.Type, at)
				}
				if n, sizeErr := MessageSize(b); (err == nil) != (sizeErr == nil) || err != nil && n != 0 {
					t.Errorf("MessageSize gives %d, %v after %v", n, sizeErr, err)
				}
				b[at] ^= 1 << bit
			}
		}
		if _, err := ParseHandshakeHeader(b[:HandshakeHeaderSize-1]); err == nil {
			t.Error("a short header is taken")
		}
	}
}

func TestModesAndRefsBelongToTypes(t *testing.T) {
	for _, h := range []HandshakeHeader{
		{MsgKeysReq, ModeRotate, Ref{}}, {MsgM2, ModeFull, Ref{1, 0}}, {MsgM2, ModeFull, Ref{0, 1}},
		{MsgM1, ModeFull, Ref{1, 1}}, {MsgM1, ModeResume, Ref{0, 1}},
		{MsgM1r, ModeFull, Ref{1, 1}}, {MsgM1r, ModeRotate, Ref{1, 0}}, {MsgM3r, 3, Ref{1, 1}},
		{0, ModeFull, Ref{}}, {MsgUnknown + 1, ModeFull, Ref{}}, {255, ModeFull, Ref{}},
	} {
		b := make([]byte, HandshakeHeaderSize)
		h.Put(b)
		if _, err := ParseHandshakeHeader(b); err == nil {
			t.Errorf("%+v is taken", h)
		}
	}
}

func TestResumeIDIsItsLink(t *testing.T) {
	id := ResumeID{1, 2, 3, 4, 5, 6}
	if id.Ref() != (Ref{0x0201, 0x06050403}) || id.Ref().ID() != id {
		t.Errorf("%v is link %+v", id, id.Ref())
	}
}

// The parts of a message cover it without gap or overlap.
func TestPartsCoverTheirMessage(t *testing.T) {
	m1, m2, m3, refused := new(M1), new(M2), new(M3), new(Refused)
	m1r, m2r, m3r, prekey := new(M1r), new(M2r), new(M3r), new(Prekey)
	keysReq, keys, body := new(KeysReq), new(Keys), new(KeysBody)
	for name, c := range map[string]struct {
		whole []byte
		parts [][]byte
	}{
		"M1":       {m1[:], [][]byte{m1[:16], m1.SID(), m1.Ex(), m1.Ek(), m1.CtS(), m1.CtP(), m1.SealedKeys(), m1.SealedParams()}},
		"M2":       {m2[:], [][]byte{m2[:16], m2.SID(), m2.Rx(), m2.CtE(), m2.CtI(), m2.Sealed()}},
		"M3":       {m3[:], [][]byte{m3[:16], m3.SID(), m3.Sealed()}},
		"REFUSED":  {refused[:], [][]byte{refused[:16], refused.SID(), refused.Sealed()}},
		"KEYS_REQ": {keysReq[:], [][]byte{keysReq[:16], keysReq.Nonce(), keysReq.Proof()}},
		"KEYS":     {keys[:], [][]byte{keys[:16], keys.Nonce(), keys.Sealed()}},
		"keys":     {body[:], [][]byte{body.KeySet(), body.Prekey(), body.MLDSAKey(), body.MLDSASig()}},
		"prekey":   {prekey[:], [][]byte{prekey.ID(), prekey.NotBefore(), prekey.NotAfter(), prekey.Px(), prekey.Pk(), prekey.Signature()}},
		"M1r":      {m1r[:], [][]byte{m1r[:16], m1r.Ex(), m1r.Ek(), m1r.Sealed()}},
		"M2r":      {m2r[:], [][]byte{m2r[:16], m2r.Rx(), m2r.CtE(), m2r.Sealed()}},
		"M3r":      {m3r[:], [][]byte{m3r.Head(), m3r.Sealed()}},
	} {
		at := 0
		for n, p := range c.parts {
			if at >= len(c.whole) || &p[0] != &c.whole[at] {
				t.Fatalf("%s: part %d does not begin at byte %d", name, n, at)
			}
			at += len(p)
		}
		if at != len(c.whole) {
			t.Errorf("%s: the parts have %d of %d bytes", name, at, len(c.whole))
		}
	}
	for _, head := range [][]byte{m1.Head(), m2.Head(), m3.Head(), refused.Head(), m1r.Head(), m2r.Head(), keys.Head()} {
		if cap(head) != len(head) {
			t.Error("appending to a head would write into what follows")
		}
	}
}

// SPEC "Key schedule": every label has one use.
func TestLabelsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range []string{LabelKeySet, LabelSigSet, ContextEd25519, ContextX25519, ContextMLKEM, ContextMLDSA, ContextLocal,
		NameFull, NameShort, MixES, MixKS, MixEP, MixKP, MixSP, MixEE, MixKE, MixSE, MixKI, MixPSK,
		LabelChain, LabelRoot, LabelKeysReq, LabelKeys, LabelPrekeyID, LabelM1Keys, LabelM1Params, LabelRefused, LabelM2, LabelM3, LabelM1r, LabelM2r, LabelM3r,
		LabelDataI2R, LabelDataR2I, LabelRekey, LabelResumeI2R, LabelResumeR2I, LabelResumeIDI2R, LabelResumeIDR2I,
		LabelPreface, LabelSigR, LabelSigI, LabelSigPrekey, LabelSigPrekeyMLDSA} {
		if seen[l] || l == "" {
			t.Errorf("label %q has two uses", l)
		}
		seen[l] = true
	}
}
