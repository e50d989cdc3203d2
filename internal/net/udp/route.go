package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// routes asks the kernel for the route to a remote, with a socket that is bound and
// marked as ours: connecting a UDP socket looks the route up and sends nothing. No list
// of addresses or routes is read, however long it is.
type routes struct {
	own     netip.AddrPort // where the Socket listens
	dialler net.Dialer
}

func newRoutes(own netip.AddrPort, mark uint32) routes {
	d := net.Dialer{Control: func(_, _ string, rc syscall.RawConn) error {
		return markLookup(rc, mark)
	}}
	if !own.Addr().IsUnspecified() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(own.Addr(), 0))
	}
	return routes{own, d}
}

// check implements link.Checker.
func (r *routes) check(remote netip.AddrPort) error {
	c, err := r.dialler.DialContext(context.Background(), "udp", remote.String())
	if err != nil {
		if noRoute(err) {
			return fmt.Errorf("transport: %s: %w", remote.Addr(), link.ErrNoRoute)
		}
		return nil
	}
	source := netaddr.PortOf(c.LocalAddr()).Addr()
	_ = c.Close()
	if source == remote.Addr().Unmap() && r.listensAt(remote) {
		return fmt.Errorf("transport: %s: %w", remote, link.ErrOwnAddress)
	}
	return nil
}

// listensAt reports whether a packet to an address of this host would be ours.
func (r *routes) listensAt(a netip.AddrPort) bool {
	return a.Port() == r.own.Port() && (r.own.Addr().IsUnspecified() || r.own.Addr() == a.Addr().Unmap())
}

// noRoute knows the errors of a route look-up that finds nothing: no route, one
// that says unreachable, prohibit or blackhole, and no address or support of the
// family at all.
func noRoute(err error) bool {
	for _, e := range [...]syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EINVAL,
		syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
