package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// One end's address is replaced in the middle of traffic. The other has no other
// way to find it than to hear from it.
func TestNewAddressInMidFlow(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"A", "B"} {
		t.Run(who, func(t *testing.T) {
			w, a, b := pair(t)
			moves, stays, cable := a, b, w.CableA
			if who == "B" {
				moves, stays, cable = b, a, w.CableB
			}
			w.direct(a, b)
			before := a.session(b)
			events := w.follow(stays)
			p := w.pinging(w.A, b.v4, 10*time.Millisecond)
			f := w.flow(w.A, w.B, b.v4, 40_000_000, 15_000_000)
			f.reaches(5_000_000, 10*time.Second)
			took := w.move(moves, stays, cable)
			t.Logf("the other end uses the new address %v after the change", took.Round(time.Millisecond))
			f.done(30 * time.Second)
			got := p.stop()
			t.Logf("pings: %v", got)
			faults.Report(t, "O12", got.gap() <= 500*time.Millisecond, "%s moves: gap %v, the flow of 40 MB arrives, same session", who, got.gap().Round(time.Millisecond))
			if gap := got.gap(); gap > 1500*time.Millisecond {
				t.Errorf("no ping was answered for %v; the aim is 500 ms, the limit 1.5 s", gap)
			}
			w.sameSession(a, b, before)
			for _, e := range events() {
				if e.To == "failed" {
					t.Errorf("the session failed: %+v", e)
				}
			}
		})
	}
}

// move gives a node's host another address and takes the old one away, and waits
// until the other node uses it.
func (w *world) move(n, other *node, cable *lab.Cable) time.Duration {
	w.Helper()
	octets := cable.A.IP4.Addr().As4()
	octets[3] = 77
	to := netip.PrefixFrom(netip.AddrFrom4(octets), cable.A.IP4.Bits())
	w.ok(n.Host.AddAddr(cable.A.Dev, to))
	w.ok(n.Host.DelAddr(cable.A.Dev, cable.A.IP4))
	w.ok(n.Host.Route(netip.MustParsePrefix("0.0.0.0/0"), cable.B.IP4.Addr(), 0))
	at := time.Now()
	other.waitPeer(n, 10*time.Second, "at its new address", func(c control.Peer) bool {
		return c.Endpoint == netip.AddrPortFrom(to.Addr(), port).String()
	})
	return time.Since(at)
}

// sameSession fails the test if a full handshake was made since, or the session
// is not up.
func (w *world) sameSession(a, b *node, before session) {
	w.Helper()
	w.established(a, b)
	after := a.session(b)
	w.Logf("session before: %+v, after: %+v", before, after)
	if after.handshakes != before.handshakes || after.epoch < before.epoch {
		w.Errorf("another session: %+v, before %+v", after, before)
	}
}

// A sits behind a NAT that forgets a UDP flow after 2 s. Heartbeats keep it.
func TestHeartbeatsKeepTheNATOpen(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, `session.heartbeat = "1s"`)
	w.behindNAT(0)
	w.bothUp(a, b)
	b.waitCarrier(a, "direct", patience)
	for range 2 {
		time.Sleep(3 * time.Second)
		w.pings(w.B, a.v4, 3)
	}
	if n := b.logged("to=degraded"); n != 0 {
		t.Errorf("B lost A %d times", n)
	}
	faults.Report(t, "O15", true, "6 of 6 pings from outside answered, each three after 3 s of silence")
}

// behindNAT hides A behind R's address towards B, with short memory. A port of 0
// leaves the port as it is.
func (w *world) behindNAT(port int) {
	w.Helper()
	to := ""
	if port != 0 {
		to = fmt.Sprintf("meta l4proto { tcp, udp } masquerade to :%d", port)
	}
	w.ok(w.R.Nft(fmt.Sprintf(`table inet labnat {}
delete table inet labnat
table inet labnat {
	chain post { type nat hook postrouting priority 100; oifname eth1 jump hide; }
	chain hide { %s
		masquerade; }
	chain forward { type filter hook forward priority 10; iifname eth1 ct state new,invalid drop; }
}`, to)))
	for _, key := range []string{"nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"} {
		w.ok(w.R.Sysctl("net/netfilter/"+key, "2"))
	}
}

// A NAT gives A another port in the middle of traffic.
func TestNATChangesThePort(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, "")
	w.behindNAT(20001)
	w.bothUp(a, b)
	b.waitCarrier(a, "direct", patience)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 10*time.Millisecond)
	time.Sleep(2 * time.Second)
	still := p.stop()
	faults.Control(t, "O16", "2 s without a change: gap %v, %d of %d pings lost", still.gap().Round(time.Millisecond), still.lost(), still.lost()+len(still.replies))
	p = w.pinging(w.A, b.v4, 10*time.Millisecond)
	p.answeredAfter(time.Now(), 5*time.Second)
	for _, port := range []int{20002, 20003} {
		time.Sleep(500 * time.Millisecond)
		w.behindNAT(port)
		w.ok(w.R.ForgetNAT())
		b.waitPeer(a, 10*time.Second, fmt.Sprintf("at port %d", port), func(c control.Peer) bool {
			return strings.HasSuffix(c.Endpoint, fmt.Sprintf(":%d", port))
		})
	}
	time.Sleep(500 * time.Millisecond)
	got := p.stop()
	t.Logf("pings over two changes: %v", got)
	faults.Report(t, "O16", got.gap() <= 500*time.Millisecond, "2 changes: gap %v, %d of %d pings lost, same session", got.gap().Round(time.Millisecond), got.lost(), got.lost()+len(got.replies))
	if gap := got.gap(); gap > 1500*time.Millisecond {
		t.Errorf("no ping was answered for %v; the limit is 1.5 s", gap)
	}
	w.sameSession(a, b, before)
}
