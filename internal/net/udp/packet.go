package udp

import "net/netip"

// FullPacket is the UDP payload of a path of 1500 bytes, with IPv6: what QUIC is used
// with here.
const FullPacket = 1452

const (
	// MaxRunBytes and MaxRunPackets bound what one UDP_SEGMENT call takes.
	MaxRunBytes   = 45 * FullPacket
	MaxRunPackets = 64

	// OOBSize holds TOS and packet info of both families and a segment size.
	OOBSize = 128

	// readBatch is the most messages of one receive call.
	readBatch = 32
	// readBuffer holds one message: any datagram, or a run of them that the
	// kernel has put together. Memory is touched only as far as it is used.
	readBuffer = 64 << 10
	// maxSegments is how many datagrams the kernel puts together.
	maxSegments = 64
)

// A Packet is one received datagram. Its slices belong to the reader and are
// valid until its next read.
type Packet struct {
	Data []byte
	OOB  []byte // control messages: TOS, packet info
	Src  netip.AddrPort

	local localAddr // from the packet info
}

// A localAddr is where a datagram arrived: the address, and the interface where
// the address alone does not name it (link-local).
type localAddr struct {
	addr  netip.Addr
	iface uint32
}
