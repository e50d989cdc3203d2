package udp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/records"
)

// silence is how long nothing means that nothing comes.
const silence = 200 * time.Millisecond

// atHome starts a node at a site.
func atHome(t *testing.T, s *nat.Site, listen string) (n *node) {
	t.Helper()
	if err := s.Do(func() error { n = startNode(t, netip.MustParseAddrPort(listen)); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// next is where the next packet that comes to a socket comes from; not valid if none does.
func next(t *testing.T, c *net.UDPConn, within time.Duration) netip.AddrPort {
	t.Helper()
	buf := make([]byte, 1500)
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		return netip.AddrPort{}
	}
	if n != openerSize {
		t.Fatalf("%d bytes from %v", n, from)
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// seen is where a witness sees a node.
func seen(t *testing.T, n *node, witness *net.UDPConn) netip.AddrPort {
	t.Helper()
	for range 5 {
		n.SendKnocks([]netip.AddrPort{netaddr.PortOf(witness.LocalAddr())})
		if from := next(t, witness, 3*time.Second); from.IsValid() {
			return from
		}
	}
	t.Fatal("no knock came")
	return netip.AddrPort{}
}

// An opener makes the own NAT take packets of a remote, which does not see it; a
// mapping that a premature packet would spoil stays as it is.
func TestAnOpenerOpensTheNATAndDiesOnTheWay(t *testing.T) {
	n := nat.Use(t, nat.TwoHomes(nat.Home, nat.Careless))
	for _, c := range []struct {
		site   *nat.Site
		listen string
		v6     bool
	}{{n.A, "0.0.0.0:0", false}, {n.A, "[::]:0", false}, {n.B, "0.0.0.0:0", false}, {n.B, "[::]:0", false}, {n.A, "[::]:0", true}} {
		w, err := n.Hub.Witness(c.v6)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		node := atHome(t, c.site, c.listen)
		at, far := seen(t, node, w[0][0]), w[1][0]
		remote := netaddr.PortOf(far.LocalAddr())
		if _, err := far.WriteToUDPAddrPort(records.New(100, 1), at); err != nil { // a careless NAT keeps this one's tuple
			t.Fatal(err)
		}
		other := w[1][1]
		openTo := netaddr.PortOf(other.LocalAddr())
		if time.Sleep(silence); node.count.Received.Load() != 0 {
			t.Errorf("%v %s: open before the opener", c.site.Kind, c.listen)
		}
		heard := make(chan netip.AddrPort, 1)
		defer node.Await([]netip.AddrPort{openTo, remote}, func(r netip.AddrPort) { heard <- r })()
		node.SendOpeners([]netip.AddrPort{openTo})
		if from := next(t, other, silence); from.IsValid() {
			t.Errorf("%v %s: the opener reached the other side from %v", c.site.Kind, c.listen, from)
		}
		if _, err := other.WriteToUDPAddrPort(records.New(100, 1), at); err != nil {
			t.Fatal(err)
		}
		select {
		case r := <-heard:
			if r != openTo {
				t.Errorf("%v %s: heard from %v", c.site.Kind, c.listen, r)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%v %s: the opener has opened nothing", c.site.Kind, c.listen)
		}
		if after := seen(t, node, other); after != at {
			t.Errorf("%v %s: seen from %v, then from %v", c.site.Kind, c.listen, at, after)
		}
		if node.count.Openers.Load() != 1 || node.in.Missing(openTo) != 0 {
			t.Errorf("%v %s: %d openers, %d hints", c.site.Kind, c.listen, node.count.Openers.Load(), node.in.Missing(openTo))
		}
	}
}

// The depth is that of each kind's routers, whatever the family of the socket, and the
// answers of routers are no hints.
func TestDepthOfTheLabsNATs(t *testing.T) {
	n := nat.Use(t, nat.TwoHomes(nat.Home, nat.Double))
	type trial struct {
		site   *nat.Site
		listen string
		v6     bool
		want   int
	}
	trials := []trial{{n.A, "0.0.0.0:0", false, 2}, {n.A, "[::]:0", false, 2}, {n.B, "[::]:0", false, 3}, {n.A, "[::]:0", true, 2}}
	for _, k := range []nat.Kind{nat.None, nat.Careless, nat.DoubleSymmetric} {
		s, err := n.Site(k.String(), k)
		if err != nil {
			t.Fatal(err)
		}
		want := s.Depth()
		if k == nat.None {
			want = 1 // the first router has a public address
		}
		trials = append(trials, trial{s, "[::]:0", false, want})
	}
	for _, c := range trials {
		w, err := n.Hub.Witness(c.v6)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		hub := netaddr.PortOf(w[0][0].LocalAddr())
		node := atHome(t, c.site, c.listen)
		node.MeasureDepth(hub)
		records.Eventually(t, 30*time.Second, "the depth", func() bool {
			node.openers.mu.Lock()
			defer node.openers.mu.Unlock()
			return node.openers.of(hub.Addr()).depthSearch.depth != 0
		})
		records.Eventually(t, 30*time.Second, "an answer counted", func() bool { return node.count.Answers.Load() > 0 })
		if got := node.openers.depth(hub.Addr()); got != c.want {
			t.Errorf("%v %s to %v: %d, want %d", c.site.Kind, c.listen, hub, got, c.want)
		}
		if node.count.ICMP.Load() != 0 || node.in.Missing(hub) != 0 {
			t.Errorf("%v %s: %d answers, %d hints", c.site.Kind, c.listen, node.count.Answers.Load(), node.count.ICMP.Load())
		}
	}
}
