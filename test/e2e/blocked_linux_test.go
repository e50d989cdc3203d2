package e2e

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// Everything to C is dropped on the way while traffic for C does not end: B's
// pings do not notice, neither before C counts as lost nor after.
func TestBlockedPeerBlocksNobody(t *testing.T) {
	t.Parallel()
	w, a, b, c := trio(t)
	w.ok(w.R.Rule("ip daddr " + w.C.IP4.String() + " drop"))
	stop, sent := w.flood(a, c)
	w.pings(w.A, b.v4, 200)
	a.waitPeer(c, 20*time.Second, "lost", func(p control.Peer) bool { return p.State != "established" && p.State != "rotating" })
	w.pings(w.A, b.Address, 50)
	stop()
	t.Logf("%d packets for C meanwhile; A says of C: %s", sent.Load(), brief(a.peer(c)))

	w.ok(w.R.Allow()) // and C comes back by itself
	w.established(a, c)
	w.pings(w.A, c.v4, 5)
}

// flood sends about 5,000 packets of 1200 bytes a second from one node to
// another, less than what would fill the device's queue for everybody.
func (w *world) flood(from, to *node) (stop func(), sent *atomic.Int64) {
	w.Helper()
	return w.floodAt(from, to.v4)
}

// floodAt is flood to an address.
func (w *world) floodAt(from *node, to netip.Addr) (stop func(), sent *atomic.Int64) {
	w.Helper()
	return w.floodOf(from, to, 5)
}

// floodOf is floodAt with so many packets a millisecond.
func (w *world) floodOf(from *node, to netip.Addr, burst int) (stop func(), sent *atomic.Int64) {
	w.Helper()
	conn, err := from.Host.DialUDP(netip.AddrPortFrom(to, 9))
	w.ok(err)
	sent = new(atomic.Int64)
	ended := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(ended)
		for packet := make([]byte, 1200); ; time.Sleep(time.Millisecond) {
			select {
			case <-over:
				return
			default:
			}
			for range burst {
				if _, err := conn.Write(packet); err == nil {
					sent.Add(1)
				}
			}
		}
	}()
	return func() { close(over); <-ended; conn.Close() }, sent
}
