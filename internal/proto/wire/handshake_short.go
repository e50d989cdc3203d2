package wire

// Sizes in bytes of the messages of short mode, and in brackets their parts.
// The link to epoch and attempt, or to the resumption secret, is in the header.
const (
	M1rSize = 1272 // [header 16, Ex 32, Ek 1184, sealed params 40]
	M2rSize = 1176 // [header 16, Rx 32, ct_e 1088, sealed params 40]
	M3rSize = 40   // [header 16, sealed flags 24]
)

const (
	m1rEk     = HandshakeHeaderSize + X25519Size
	m1rParams = m1rEk + MLKEMPublicSize
	m2rCtE    = HandshakeHeaderSize + X25519Size
	m2rParams = m2rCtE + MLKEMCTSize
)

// M1r is the first message of short mode; its parts alias it.
type M1r [M1rSize]byte

func (m *M1r) Head() []byte   { return m[:m1rParams:m1rParams] } // header, Ex, Ek: hashed together
func (m *M1r) Ex() []byte     { return m[HandshakeHeaderSize:m1rEk:m1rEk] }
func (m *M1r) Ek() []byte     { return m[m1rEk:m1rParams:m1rParams] }
func (m *M1r) Sealed() []byte { return m[m1rParams:] }

// M2r is the answer; its parts alias it.
type M2r [M2rSize]byte

func (m *M2r) Head() []byte   { return m[:m2rCtE:m2rCtE] } // header, Rx: hashed together
func (m *M2r) Rx() []byte     { return m[HandshakeHeaderSize:m2rCtE:m2rCtE] }
func (m *M2r) CtE() []byte    { return m[m2rCtE:m2rParams:m2rParams] }
func (m *M2r) Sealed() []byte { return m[m2rParams:] }

// M3r is the initiator's proof; its parts alias it.
type M3r [M3rSize]byte

func (m *M3r) Head() []byte   { return m[:HandshakeHeaderSize:HandshakeHeaderSize] }
func (m *M3r) Sealed() []byte { return m[HandshakeHeaderSize:] }
