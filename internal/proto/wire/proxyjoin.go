package wire

import "encoding/binary"

const (
	// MaxProxySealed bounds what is sealed in a ProxyJoin, in bytes.
	MaxProxySealed = 1280

	proxyHeaderSize = 1 + 1 + 4 + 4 + DigestSize + 2
)

// A ProxyStep is what a ProxyJoin does.
type ProxyStep uint8

const (
	ProxyAsks    ProxyStep = iota + 1 // the hub passes a request on
	ProxyAgreed                       // the inviting node has the joining one as a peer
	ProxyRefused                      // it has not
)

// A ProxyJoin is a join that passes a hub. What is sealed is between the joining and
// the inviting node: a request, or the answer to it. SPEC 6.11.
//
//	byte 0       type
//	byte 1       step
//	bytes 2-5    number, drawn by the hub; the answer repeats it
//	bytes 6-9    id of the invitation
//	bytes 10-41  digest of the joining node
//	bytes 42-43  length of what is sealed
//	bytes 44-    sealed, at most 1280 bytes
type ProxyJoin struct {
	Step    ProxyStep
	Number  uint32
	ID      [4]byte
	Joining [DigestSize]byte // not zero
	Sealed  []byte           // none with ProxyRefused alone: the inviting node does not know the id
}

// Valid reports whether ParseProxyJoin takes what Append makes of p.
func (p ProxyJoin) Valid() bool {
	return p.Step >= ProxyAsks && p.Step <= ProxyRefused && p.Joining != [DigestSize]byte{} &&
		len(p.Sealed) <= MaxProxySealed && (len(p.Sealed) > 0 || p.Step == ProxyRefused)
}

// Append appends the frame of p, which is valid.
func (p ProxyJoin) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, FrameProxyJoin, byte(p.Step)), p.Number)
	b = append(append(b, p.ID[:]...), p.Joining[:]...)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(p.Sealed))), p.Sealed...)
}

// ParseProxyJoin reads a frame; Sealed aliases f.
func ParseProxyJoin(f []byte) (ProxyJoin, bool) {
	if len(f) < proxyHeaderSize || f[0] != FrameProxyJoin || int(binary.LittleEndian.Uint16(f[42:])) != len(f)-proxyHeaderSize {
		return ProxyJoin{}, false
	}
	p := ProxyJoin{Step: ProxyStep(f[1]), Number: binary.LittleEndian.Uint32(f[2:]), ID: [4]byte(f[6:]),
		Joining: [DigestSize]byte(f[10:]), Sealed: f[proxyHeaderSize:]}
	return p, p.Valid()
}
