package transport

import (
	"context"
	"net"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/spray"
	"github.com/libertaria-project/l2tun/internal/net/udp"
)

var _ link.Sprayer = (*Transport)(nil)

// newSprayer makes what finds ports.
func (t *Transport) newSprayer() *spray.Sprayer {
	return spray.New(spray.Config{Open: t.openPort, Opener: func(c *net.UDPConn, to netip.AddrPort) bool { return t.udp.OpenFrom(c, to) },
		Knock: t.SendKnocks})
}

// openPort opens a socket like the one that listens, with another port.
func (t *Transport) openPort() (*net.UDPConn, error) {
	c := t.conf
	c.Listen = netip.AddrPortFrom(t.LocalAddr().Addr(), 0)
	return udp.Open(c.onUDP(t.count))
}

// OpenPorts implements link.Sprayer. An address that must not be dialled has none.
func (t *Transport) OpenPorts(remote netip.AddrPort, f func(link.PortEvent)) (stop func()) {
	ctx, cancel := context.WithCancel(t.ctx)
	refuse := func() { f(link.PortsRefused) }
	find := func() { // ends with ctx at the latest
		defer cancel()
		t.findPort(ctx, remote, f)
	}
	if len(openable([]netip.AddrPort{remote})) == 0 {
		find = refuse
	}
	if !t.sides.run(find) {
		cancel()
	}
	return cancel
}

// findPort makes the port that was heard a side.
func (t *Transport) findPort(ctx context.Context, remote netip.AddrPort, f func(link.PortEvent)) {
	conn := t.spray.OpenPorts(ctx, remote, func(yes bool) {
		if yes {
			f(link.PortsOpen)
		} else {
			f(link.PortsRefused)
		}
	})
	if conn == nil {
		return
	}
	s, err := t.sideOn(conn)
	if err != nil {
		t.conf.Logger.Info("a port that a spray has found is not used", "remote", remote, "error", err)
		return
	}
	s.udp.Opened(remote)
	if t.sides.adopt(s, remote) {
		f(link.PortHeard)
		return
	}
	t.conf.Logger.Info("a port that a spray has found is not used", "remote", remote, "error", errSides)
	_ = s.Close()
}

// KnockPorts implements link.Sprayer.
func (t *Transport) KnockPorts(remote netip.Addr) (stop func()) {
	ctx, cancel := context.WithCancel(t.ctx)
	if !t.sides.run(func() { t.spray.KnockPorts(ctx, remote) }) {
		cancel()
	}
	return cancel
}
