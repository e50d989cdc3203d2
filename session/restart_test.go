package session

import (
	"net/netip"
	"testing"
	"time"
)

// A peer that restarts at another address moves the session by the handshake
// itself, and a move begins a rotation: it must be chained from that handshake's
// secret, or the peer cannot answer it.
func TestAHandshakeThatMovesThePathIsRotatedFrom(t *testing.T) {
	for i := range byte(40) { // now and then the path has moved before
		inWorld(t, func(t *testing.T, w *world) {
			sa, _ := w.pair(Settings{})
			before := sa.Status().Epoch
			w.b.crash()
			w.b.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 9, i}), w.b.addr.Port())
			w.b.up()
			sb := w.b.peer(w.a, true, Settings{})
			w.want(sb, Established, 2*time.Second)
			time.Sleep(time.Second)
			a, b := sa.Status(), sb.Status()
			if a.State != Established || b.State != Established || a.Epoch != b.Epoch || a.Epoch != before+2 {
				t.Errorf("A is %v in epoch %d, before %d; B is %v in %d: want one by the handshake and one by a rotation", a.State, a.Epoch, before, b.State, b.Epoch)
			}
		})
	}
}
