package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

const (
	// sendBuffer is what we ask of the kernel, in bytes: more is bufferbloat on a
	// slow uplink.
	sendBuffer = 1 << 20
	// receiveBuffer fills only while this process does not get the processor: 4 MiB
	// are 6 ms at 5 Gbit/s, and with 1 MiB every loss that was traced lay here.
	receiveBuffer = 4 << 20
	// readBatch is the most messages of one receive call.
	readBatch = 32
	// readBuffer holds one message: any datagram, or a run of them that the
	// kernel has put together. Memory is touched only as far as it is used.
	readBuffer = 64 << 10
	// maxSegments is how many datagrams the kernel puts together.
	maxSegments = 64
	// oobSize holds TOS and packet info of both families and a segment size.
	oobSize = 128
)

// A packet is one received datagram. Its slices belong to the reader and are
// valid until its next read.
type packet struct {
	data []byte
	oob  []byte // control messages: TOS, packet info
	src  netip.AddrPort

	local localAddr // from the packet info
}

// A socket is the part of a UDP socket that sends, as a wrapper in tests sees it.
type socket interface {
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
	SyscallConn() (syscall.RawConn, error)
	LocalAddr() net.Addr
	SetWriteDeadline(t time.Time) error
	Close() error
}

// openSocket binds the one UDP socket: dual stack for [::], marked before the
// first packet.
func openSocket(c Config) (*net.UDPConn, error) {
	addr := c.Listen
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		return setOptions(rc, c)
	}}
	pc, err := lc.ListenPacket(context.Background(), netaddr.Network("udp", addr.Addr()), addr.String())
	if err != nil && addr.Addr() == netip.IPv6Unspecified() && !errors.Is(err, syscall.EADDRINUSE) {
		// No IPv6 on this host.
		any4 := netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())
		pc, err = lc.ListenPacket(context.Background(), "udp4", any4.String())
	}
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	return pc.(*net.UDPConn), nil
}
