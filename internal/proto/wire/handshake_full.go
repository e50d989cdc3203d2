package wire

// Sizes in bytes of what the messages are made of.
const (
	SIDSize         = 8
	X25519Size      = 32
	MLKEMPublicSize = 1184
	MLKEMCTSize     = 1088
	Ed25519SigSize  = 64
	DigestSize      = 32
	MLDSAPublicSize = 1952
	MLDSASigSize    = 3309
	KeySetSize      = 1280
	PrekeySize      = 1300
	FinishFlagsSize = 8 // of M3 and M3r: zero, checked
	RefusalSize     = 1
)

// Sizes in bytes of the messages of full mode, and in brackets their parts.
const (
	KeysReqSize = 80   // [header 16, nonceI 32, proof 32]
	KeysSize    = 7905 // [header 16, nonceR 32, sealed key set 1280, prekey record 1300, ML-DSA-65 key 1952 and signature 3309]
	M1Size      = 4752 // [header 16, sidI 8, Ex 32, Ek 1184, ct_s 1088, ct_p 1088, sealed key set 1296, sealed params 40]
	M2Size      = 2336 // [header 16, sidR 8, Rx 32, ct_e 1088, ct_i 1088, sealed sigR and params 104]
	M3Size      = 112  // [header 16, sidR 8, sealed sigI and flags 88]
	RefusedSize = 41   // [header 16, sidI 8, sealed reason 17]
)

// Offsets of the parts of M1, M2, M3 and REFUSED after header and sid.
const (
	ephemeral = HandshakeHeaderSize + SIDSize // also where M1's hashed head goes on

	m1Ek     = ephemeral + X25519Size
	m1CtS    = m1Ek + MLKEMPublicSize
	m1CtP    = m1CtS + MLKEMCTSize
	m1Keys   = m1CtP + MLKEMCTSize
	m1Params = m1Keys + KeySetSize + TagSize

	m2CtE    = ephemeral + X25519Size
	m2CtI    = m2CtE + MLKEMCTSize
	m2Sealed = m2CtI + MLKEMCTSize

	m3Sealed = HandshakeHeaderSize + SIDSize
)

// M1 is the initiator's first message; its parts alias it.
type M1 [M1Size]byte

func (m *M1) Head() []byte         { return m[:m1CtS:m1CtS] } // header, sidI, Ex, Ek: hashed together
func (m *M1) PrekeyID() []byte     { return m[12:HandshakeHeaderSize:HandshakeHeaderSize] }
func (m *M1) SID() []byte          { return m[HandshakeHeaderSize:ephemeral:ephemeral] }
func (m *M1) Ex() []byte           { return m[ephemeral:m1Ek:m1Ek] }
func (m *M1) Ek() []byte           { return m[m1Ek:m1CtS:m1CtS] }
func (m *M1) CtS() []byte          { return m[m1CtS:m1CtP:m1CtP] }
func (m *M1) CtP() []byte          { return m[m1CtP:m1Keys:m1Keys] }
func (m *M1) SealedKeys() []byte   { return m[m1Keys:m1Params:m1Params] }
func (m *M1) SealedParams() []byte { return m[m1Params:] }

// M2 is the responder's answer; its parts alias it.
type M2 [M2Size]byte

func (m *M2) Head() []byte   { return m[:m2CtE:m2CtE] } // header, sidR, Rx: hashed together
func (m *M2) SID() []byte    { return m[HandshakeHeaderSize:ephemeral:ephemeral] }
func (m *M2) Rx() []byte     { return m[ephemeral:m2CtE:m2CtE] }
func (m *M2) CtE() []byte    { return m[m2CtE:m2CtI:m2CtI] }
func (m *M2) CtI() []byte    { return m[m2CtI:m2Sealed:m2Sealed] }
func (m *M2) Sealed() []byte { return m[m2Sealed:] }

// M3 is the initiator's proof; its parts alias it.
type M3 [M3Size]byte

func (m *M3) Head() []byte   { return m[:m3Sealed:m3Sealed] } // header, sidR
func (m *M3) SID() []byte    { return m[HandshakeHeaderSize:m3Sealed:m3Sealed] }
func (m *M3) Sealed() []byte { return m[m3Sealed:] }

// Refused is the responder's sealed no; its parts alias it.
type Refused [RefusedSize]byte

func (m *Refused) Head() []byte   { return m[:m3Sealed:m3Sealed] } // header, sidI
func (m *Refused) SID() []byte    { return m[HandshakeHeaderSize:m3Sealed:m3Sealed] }
func (m *Refused) Sealed() []byte { return m[m3Sealed:] }

// Offsets of the parts of KEYS_REQ and KEYS.
const (
	KeysNonceSize = 32
	keysNonce     = HandshakeHeaderSize
	keysRest      = keysNonce + KeysNonceSize // proof or sealed body
)

// KeysReq asks for keys under a DID without showing it; its parts alias it.
type KeysReq [KeysReqSize]byte

func (m *KeysReq) Nonce() []byte { return m[keysNonce:keysRest:keysRest] }
func (m *KeysReq) Proof() []byte { return m[keysRest:] }

// Keys answers it; its parts alias it.
type Keys [KeysSize]byte

func (m *Keys) Head() []byte   { return m[:keysRest:keysRest] } // header, nonceR
func (m *Keys) Nonce() []byte  { return m[keysNonce:keysRest:keysRest] }
func (m *Keys) Sealed() []byte { return m[keysRest:] }

// Offsets in what KEYS seals, and its size in bytes.
const (
	keysPrekey   = KeySetSize
	keysMLDSA    = keysPrekey + PrekeySize
	keysMLDSASig = keysMLDSA + MLDSAPublicSize
	KeysBodySize = keysMLDSASig + MLDSASigSize
)

// KeysBody is what an initiator needs before M1; its parts alias it.
type KeysBody [KeysBodySize]byte

func (b *KeysBody) KeySet() []byte   { return b[:keysPrekey:keysPrekey] }
func (b *KeysBody) Prekey() []byte   { return b[keysPrekey:keysMLDSA:keysMLDSA] }
func (b *KeysBody) MLDSAKey() []byte { return b[keysMLDSA:keysMLDSASig:keysMLDSASig] }
func (b *KeysBody) MLDSASig() []byte { return b[keysMLDSASig:] }

// Offsets in a prekey record.
//
//	bytes 0-3        id, never zero
//	bytes 4-11       not before, Unix seconds
//	bytes 12-19      not after, Unix seconds
//	bytes 20-51      Px, X25519
//	bytes 52-1235    Pk, ML-KEM-768
//	bytes 1236-1299  Ed25519 signature of the node's key over
//	                 LabelSigPrekey || digest of its DID || bytes 0-1235
//
// The ML-DSA-65 signature is over LabelSigPrekeyMLDSA || digest || bytes 0-1235 and
// stands behind the record in KEYS.
const (
	prekeyNotBefore = 4
	prekeyNotAfter  = 12
	prekeyPx        = 20
	prekeyPk        = prekeyPx + X25519Size
	prekeySig       = prekeyPk + MLKEMPublicSize
)

// Prekey is a prekey record; its parts alias it.
type Prekey [PrekeySize]byte

func (p *Prekey) ID() []byte        { return p[:prekeyNotBefore:prekeyNotBefore] }
func (p *Prekey) NotBefore() []byte { return p[prekeyNotBefore:prekeyNotAfter:prekeyNotAfter] }
func (p *Prekey) NotAfter() []byte  { return p[prekeyNotAfter:prekeyPx:prekeyPx] }
func (p *Prekey) Px() []byte        { return p[prekeyPx:prekeyPk:prekeyPk] }
func (p *Prekey) Pk() []byte        { return p[prekeyPk:prekeySig:prekeySig] }
func (p *Prekey) Signed() []byte    { return p[:prekeySig:prekeySig] }
func (p *Prekey) Signature() []byte { return p[prekeySig:] }
