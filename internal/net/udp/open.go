package udp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

const (
	// sendBuffer is what we ask of the kernel, in bytes: more is bufferbloat on a
	// slow uplink.
	sendBuffer = 1 << 20
	// receiveBuffer fills only while this process does not get the processor: 4 MiB
	// are 6 ms at 5 Gbit/s, and with 1 MiB every loss that was traced lay here.
	receiveBuffer = 4 << 20
)

// Options say how a Socket is opened, and what it needs of its owner.
type Options struct {
	Listen    netip.AddrPort // [::] is dual stack, port 0 lets the system choose
	Mark      uint32         // SO_MARK when not 0
	NoOffload bool           // no UDP_GRO and no UDP_SEGMENT
	NoDirect  bool           // records that come are counted only
	Log       *slog.Logger
	Guard     *guard.Guard // around what handles datagrams; nil: recovered defects are not logged
	Count     *Counters
}

// A Conn is what a Socket needs of a *net.UDPConn, as a wrapper in tests sees it.
type Conn interface {
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
	SyscallConn() (syscall.RawConn, error)
	LocalAddr() net.Addr
	SetWriteDeadline(t time.Time) error
	Close() error
}

// Open binds the UDP socket: dual stack for [::], marked before the first packet.
func Open(o Options) (*net.UDPConn, error) {
	addr := o.Listen
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		return setOptions(rc, o)
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
