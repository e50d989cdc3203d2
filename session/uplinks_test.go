package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/memnet"
)

// A node moves to another uplink while the old one is dead: the connection of QUIC
// follows it, and packets are on direct again within seconds, although the direct
// path was lost and no handshake shows the new address (SPEC 6.10).
func TestDirectReturnsAfterAMoveWithinSeconds(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sb := w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		w.want(sa, Established, 5*time.Second)
		onDirect := func() bool {
			return sa.Status().Carrier == "direct" && sb.Status().Carrier == "direct"
		}
		within := func(d time.Duration, what string) time.Duration {
			t.Helper()
			for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
				if onDirect() {
					return time.Since(start)
				}
				if time.Since(start) > d {
					t.Fatalf("%s: %s and %s after %v", what, sa.Status().Carrier, sb.Status().Carrier, d)
				}
			}
		}
		within(3*time.Second, "at the start")
		w.cut(true)
		time.Sleep(50 * time.Millisecond) // what is under way has arrived
		w.a.m.NetworkChanged()            // makes both ends look
		w.b.m.NetworkChanged()
		w.want(sa, Degraded, 5*time.Second)
		w.want(sb, Degraded, 5*time.Second)
		w.a.node.Move(netip.MustParseAddrPort("10.0.9.1:4242"))
		w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond})
		w.want(sa, Established, 15*time.Second)
		t.Logf("direct %v after the session was back", within(4*time.Second, "after the move"))
		if at := sb.Status().Endpoint; at != w.a.node.Addr() {
			t.Errorf("the peer still sends to %v", at)
		}
	})
}
