package symbolic

import "encoding/binary"

// A line is one line of a key schedule in SPEC 5.1.
type line struct {
	do     string // "hash", "mix", "seal", "keys" or "send"
	name   string // of the step, the label or the message
	secret *term  // mix: what is secret
	parts  []*term

	// seal: a signature by this key over this label and h stands first.
	signer    *term
	signLabel string
}

func hashLine(name string, parts ...*term) line { return line{do: "hash", name: name, parts: parts} }
func mixLine(label string, secret *term, public ...*term) line {
	return line{do: "mix", name: label, secret: secret, parts: public}
}
func sealLine(label string, plain ...*term) line { return line{do: "seal", name: label, parts: plain} }
func sendLine(message string, parts ...*term) line {
	return line{do: "send", name: message, parts: parts}
}

func keysLine(labels ...*term) line { return line{do: "keys", parts: labels} }

// parties are the atoms of one session. An attacker takes part by having an
// atom of its own, or another's, in the place of one of these.
type parties struct {
	*space
	DI, KI, SI *term // static keys of the initiator: X25519, ML-KEM, Ed25519
	DR, KR, SR *term
	Px, Pk     *term // prekey
	ex, ek     *term // ephemerals of the initiator
	rx         *term
	cs, cp     *term // coins of ct_s, ct_p, drawn by the initiator
	ce, ci     *term // coins of ct_e, ct_i, drawn by the responder

	QI, QR           *term // ML-DSA-65 keys
	prekeyID, dates  *term
	sidI, sidR       *term
	paramsI, paramsR *term
	binding          *term // kind and value
	refusal          *term // the reason in REFUSED

	psk               *term // short mode: the secret chained from
	linkLow, linkHigh *term // short mode: bytes 6-7 and 12-15 of the headers
	modeByte          byte
}

// newParties names one session; everybody is honest.
func newParties(s *space) parties { return newPartiesNamed(s, "") }

// newPartiesNamed has another atom in the place of the one named.
func newPartiesNamed(s *space, but string) parties {
	a := func(name string) *term {
		if name == but {
			name += " of another"
		}
		return s.atom(name)
	}
	return parties{space: s, DI: a("D_I"), KI: a("K_I"), SI: a("S_I"), DR: a("D_R"), KR: a("K_R"), SR: a("S_R"),
		Px: a("Px"), Pk: a("Pk"), ex: a("ex"), ek: a("ek"), rx: a("rx"), cs: a("cs"), cp: a("cp"), ce: a("ce"), ci: a("ci"),
		QI: a("Q_I"), QR: a("Q_R"), prekeyID: a("prekey id"), dates: a("dates"), sidI: a("sidI"), sidR: a("sidR"),
		paramsI: a("params_I"), paramsR: a("params_R"), binding: a("cb"), psk: a("psk"),
		linkLow: a("link low"), linkHigh: a("link high"), refusal: a("reason")}
}

func (p parties) setI() *term {
	return p.cat(p.vk(p.SI), p.xpub(p.DI), p.make(opEK, "", p.KI), p.hashQ(p.QI))
}
func (p parties) setR() *term {
	return p.cat(p.vk(p.SR), p.xpub(p.DR), p.make(opEK, "", p.KR), p.hashQ(p.QR))
}

// hashQ is the last part of a key set.
func (p parties) hashQ(key *term) *term {
	return p.hash(p.bytes("did:morpheus l2tun sigset v1\x00\x91\x24"+le16(1952)), p.vkq(key))
}

// digest is what a DID spells, of the typed keys of a key set.
func (p parties) digest(set *term) *term {
	s := p.space
	typed := func(varint string, size int, key *term) *term {
		return s.cat(s.bytes(varint+le16(size)), key)
	}
	k := set.args
	return s.hash(s.bytes("did:morpheus l2tun keyset v1\x00"), typed("\xed\x01", 32, k[0]), typed("\xec\x01", 32, k[1]),
		typed("\x8c\x24", 1184, k[2]), typed("\x1e", 32, k[3]))
}

func (p parties) didI() *term { return p.digest(p.setI()) }
func (p parties) didR() *term { return p.digest(p.setR()) }

func (p parties) prekeyBody() *term {
	return p.cat(p.prekeyID, p.dates, p.xpub(p.Px), p.make(opEK, "", p.Pk))
}

// prekey is the record of 1300 bytes.
func (p parties) prekey() *term {
	return p.cat(p.prekeyBody(), p.sig(p.SR, p.cat(p.bytes("l2tun/1 sig prekey"), p.didR(), p.prekeyBody())))
}

// prekeySigQ is the other signature, which stands behind the record in KEYS.
func (p parties) prekeySigQ() *term {
	return p.sigq(p.QR, p.cat(p.bytes("l2tun/1 sig prekey ML-DSA-65"), p.didR(), p.prekeyBody()))
}

// keys is what KEYS seals under the DID, without which I sends no M1.
func (p parties) keys() *term { return p.cat(p.setR(), p.prekey(), p.vkq(p.QR), p.prekeySigQ()) }

func le16(n int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(n))) }
func le32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

// header is the 16 bytes that begin a message; low and high are its bytes 6-7
// and 12-15.
func (p parties) header(kind, mode byte, size int, low, high *term) *term {
	return p.cat(p.bytes(string([]byte{kind, 1, 4, 0, mode, 0})), low, p.bytes(le32(size)), high)
}

func (p parties) zeros(n int) *term { return p.bytes(string(make([]byte, n))) }

// full is full mode.
func full(p parties) (name string, lines []line) {
	s := p.space
	Ex, Ek, Rx := s.xpub(p.ex), s.ek(p.ek), s.xpub(p.rx)
	D_I, K_I, D_R, K_R := s.xpub(p.DI), s.ek(p.KI), s.xpub(p.DR), s.ek(p.KR)
	Px, Pk := s.xpub(p.Px), s.ek(p.Pk)
	ctS, ctP, ctE, ctI := s.ct(p.KR, p.cs), s.ct(p.Pk, p.cp), s.ct(p.ek, p.ce), s.ct(p.KI, p.ci)
	plain := func(kind byte, size int) *term { return p.header(kind, 0, size, p.zeros(2), p.zeros(4)) }
	m1 := p.header(5, 0, 4752, p.zeros(2), p.prekeyID)

	return "L2TUN-PQXDH-IK/1 full suite=0004 X25519 ML-KEM-768 Ed25519 ML-DSA-65 ChaCha20Poly1305 BLAKE3 HKDF-SHA256", []line{
		hashLine("prologue", s.bytes("\x01\x04\x00\x00"), p.binding, p.didR()),
		hashLine("M1 head", m1, p.sidI, Ex, Ek),
		mixLine("es", s.dh(p.ex, p.DR), Ex, D_R),
		hashLine("ct_s", ctS),
		mixLine("ks", s.ss(p.KR, p.cs), K_R, ctS),
		hashLine("prekey", p.prekey()),
		mixLine("ep", s.dh(p.ex, p.Px), Ex, Px),
		hashLine("ct_p", ctP),
		mixLine("kp", s.ss(p.Pk, p.cp), Pk, ctP),
		sealLine("M1 key set", p.setI()),
		hashLine("didI", p.didI()),
		mixLine("sp", s.dh(p.DI, p.Px), D_I, Px),
		sealLine("M1 params", p.paramsI),
		sendLine("M1", m1, p.sidI, Ex, Ek, ctS, ctP, s.slot("M1 key set"), s.slot("M1 params")),

		hashLine("M2 head", plain(6, 2336), p.sidR, Rx),
		mixLine("ee", s.dh(p.ex, p.rx), Ex, Rx),
		hashLine("ct_e", ctE),
		mixLine("ke", s.ss(p.ek, p.ce), Ek, ctE),
		mixLine("se", s.dh(p.DI, p.rx), D_I, Rx),
		hashLine("ct_i", ctI),
		mixLine("ki", s.ss(p.KI, p.ci), K_I, ctI),
		signed(p.SR, "l2tun/1 sig R", sealLine("M2", p.paramsR)),
		sendLine("M2", plain(6, 2336), p.sidR, Rx, ctE, ctI, s.slot("M2")),
		keysLine(s.bytes("data i2r"), s.bytes("data r2i")),

		hashLine("M3 head", plain(7, 112), p.sidR),
		signed(p.SI, "l2tun/1 sig I", sealLine("M3", p.zeros(8))),
		sendLine("M3", plain(7, 112), p.sidR, s.slot("M3")),
		keysLine(p.secrets()...),
	}
}

// refused is what follows M1 in place of M2.
func refused(p parties) []line {
	head := p.header(8, 0, 41, p.zeros(2), p.zeros(4))
	return []line{
		hashLine("REFUSED head", head, p.sidI),
		sealLine("refused", p.refusal),
		sendLine("REFUSED", head, p.sidI, p.slot("refused")),
	}
}

// short is short mode. A rotation has mode 1 and a binding of 33 zeros, a
// resumption mode 2.
func short(p parties) (name string, lines []line) {
	s := p.space
	Ex, Ek, Rx := s.xpub(p.ex), s.ek(p.ek), s.xpub(p.rx)
	D_I, D_R, ctE := s.xpub(p.DI), s.xpub(p.DR), s.ct(p.ek, p.ce)
	head := func(kind byte, size int) *term { return p.header(kind, p.modeByte, size, p.linkLow, p.linkHigh) }

	return "L2TUN-PQXDH-IK/1 short suite=0004 X25519 ML-KEM-768 ChaCha20Poly1305 BLAKE3 HKDF-SHA256", []line{
		hashLine("prologue", s.bytes("\x01\x04\x00"+string([]byte{p.modeByte})), p.didI(), p.didR()),
		mixLine("psk", p.psk, p.didI(), p.didR()),
		hashLine("M1r head", head(9, 1272), Ex, Ek),
		mixLine("es", s.dh(p.ex, p.DR), Ex, D_R),
		sealLine("M1r", p.paramsI),
		sendLine("M1r", head(9, 1272), Ex, Ek, s.slot("M1r")),

		hashLine("binding", p.binding),
		hashLine("M2r head", head(10, 1176), Rx),
		mixLine("ee", s.dh(p.ex, p.rx), Ex, Rx),
		hashLine("ct_e", ctE),
		mixLine("ke", s.ss(p.ek, p.ce), Ek, ctE),
		mixLine("se", s.dh(p.DI, p.rx), D_I, Rx),
		sealLine("M2r", p.paramsR),
		sendLine("M2r", head(10, 1176), Rx, ctE, s.slot("M2r")),
		keysLine(s.bytes("data i2r"), s.bytes("data r2i")),

		hashLine("M3r head", head(11, 40)),
		sealLine("M3r", p.zeros(8)),
		sendLine("M3r", head(11, 40), s.slot("M3r")),
		keysLine(p.secrets()...),
	}
}

// secrets are taken at the end of both modes.
func (p parties) secrets() []*term {
	b := p.bytes
	return []*term{b("rekey"), b("resume i2r"), b("resume r2i"), b("resume id i2r"), b("resume id r2i")}
}

func signed(by *term, label string, l line) line {
	l.signer, l.signLabel = by, label
	return l
}
