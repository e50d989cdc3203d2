package handshake

import (
	"slices"
	"testing"
)

// oLink is the mode and the two link fields of a short header.
type oLink struct {
	Mode byte   `json:"mode"`
	Low  uint16 `json:"header_6_7"`
	High uint32 `json:"header_12_15"`
}

// oShort is short mode from M1r to the last secret.
func oShort(t testing.TB, i, r oNode, link oLink, secret, binding []byte, pi, pr oParams, lacks string) oOut {
	o := &oracle{t: t, lacks: lacks}
	var out oOut
	header := func(typ byte, size int) []byte { return oHeader(typ, link.Mode, link.Low, size, link.High) }

	rnd := stream("initiator")
	ex, ek := oX25519(t, oDraw(t, rnd, 32)), oMLKEM(t, oDraw(t, rnd, 64))
	exPub, ekPub := ex.PublicKey().Bytes(), ek.EncapsulationKey().Bytes()
	o.begin("L2TUN-PQXDH-IK/1 short suite=0002 X25519 ML-KEM-768 ChaCha20Poly1305 BLAKE3 HKDF-SHA256")
	o.hash("prologue", []byte{1, 2, 0, link.Mode}, i.digest, r.digest)
	o.mix("psk", secret, i.digest, r.digest)
	o.hash("M1r head", header(9, 1272), exPub, ekPub)
	o.mix("es", o.dh(ex, r.x.PublicKey()), exPub, r.x.PublicKey().Bytes())
	out.message("M1r", header(9, 1272), exPub, ekPub, o.seal("M1r", pi.bytes()))

	rnd = stream("responder")
	rx := oX25519(t, oDraw(t, rnd, 32))
	rxPub := rx.PublicKey().Bytes()
	o.hash("binding", binding)
	o.hash("M2r head", header(10, 1176), rxPub)
	o.mix("ee", o.dh(rx, ex.PublicKey()), exPub, rxPub)
	ct, ss := o.encaps(ek, oDraw(t, rnd, 32))
	o.hash("ct_e", ct)
	o.mix("ke", ss, ekPub, ct)
	o.mix("se", o.dh(rx, i.x.PublicKey()), i.x.PublicKey().Bytes(), rxPub)
	out.message("M2r", header(10, 1176), rxPub, ct, o.seal("M2r", pr.bytes()))
	o.key("data i2r")
	o.key("data r2i")

	o.hash("M3r head", header(11, 40))
	out.message("M3r", header(11, 40), o.seal("M3r", make([]byte, 8)))
	o.secrets()
	out.message("UNKNOWN", header(12, 16))
	out.Steps, out.Keys = o.steps, slices.Clone(o.taken)
	return out
}
