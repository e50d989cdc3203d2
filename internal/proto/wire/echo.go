package wire

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// An Echo is the answer to a probe. SPEC 6.10.
type Echo struct {
	Nonce uint64
	Seen  netip.AddrPort // where the probe came from: how the peer sees us
	// Widest is the largest record in bytes that has come on this carrier since
	// the smallest kind of probe was answered last; 65535 also stands for more.
	Widest int
}

// AppendEcho appends an echo.
func AppendEcho(b []byte, e Echo) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, FrameEcho), e.Nonce)
	addr := e.Seen.Addr().As16()
	b = binary.LittleEndian.AppendUint16(append(b, addr[:]...), e.Seen.Port())
	return binary.LittleEndian.AppendUint16(b, uint16(min(e.Widest, math.MaxUint16)))
}

// ParseEcho reads an echo.
func ParseEcho(f []byte) (e Echo, ok bool) {
	if len(f) != EchoSize {
		return e, false
	}
	addr := netip.AddrFrom16([16]byte(f[9:25])).Unmap()
	return Echo{
		Nonce:  binary.LittleEndian.Uint64(f[1:]),
		Seen:   netip.AddrPortFrom(addr, binary.LittleEndian.Uint16(f[25:])),
		Widest: int(binary.LittleEndian.Uint16(f[27:])),
	}, true
}
