package transport

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

var _ link.Opener = (*Transport)(nil)

// SendOpeners implements link.Opener. An address that must not be dialled gets none.
func (t *Transport) SendOpeners(remotes []netip.AddrPort) { t.udp.SendOpeners(openable(remotes)) }

// SendKnocks implements link.Opener. An address that must not be dialled gets none.
func (t *Transport) SendKnocks(remotes []netip.AddrPort) { t.udp.SendKnocks(openable(remotes)) }

// MeasureDepth implements link.Opener.
func (t *Transport) MeasureDepth(remote netip.AddrPort) { t.udp.MeasureDepth(remote) }

// Await implements link.Opener. Close waits for f.
func (t *Transport) Await(remotes []netip.AddrPort, f func(remote netip.AddrPort)) (stop func()) {
	return t.udp.Await(remotes, f)
}

// HeardFrom implements link.Opener, of all sockets.
func (t *Transport) HeardFrom(remote netip.AddrPort) time.Time {
	at := t.udp.HeardFrom(remote)
	if side := t.sides.heardFrom(remote); side.After(at) {
		return side
	}
	return at
}

// openable are the remotes that may be dialled, and those of loopback: the socket
// refuses these unless it is bound there.
func openable(remotes []netip.AddrPort) (may []netip.AddrPort) {
	for _, r := range remotes {
		if Dialable(r) == nil || r.Addr().Unmap().IsLoopback() {
			may = append(may, r)
		}
	}
	return may
}
