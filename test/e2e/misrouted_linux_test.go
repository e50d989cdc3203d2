package e2e

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// finding waits for a finding of the node's own, and returns its sentence.
func (n *node) finding(code, text string) (what string) {
	n.w.Helper()
	n.w.eventually(patience, n.Interface+" says "+code+": "+text, func() bool {
		s, err := n.Client().Status(n.w.Context())
		n.w.ok(err)
		for _, f := range s.Health {
			if f.Code == code && strings.Contains(f.What, text) {
				what = f.What
				return true
			}
		}
		return false
	})
	return what
}

// A program that sends to an address of the tunnel that nobody has is told so at
// once, by either family, and status names the address.
func TestUnownedAddressIsAnswered(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, "")
	w.bothUp(a, b)
	w.run(w.A, "ip", "-6", "route", "add", "fd4c:3254:99::/48", "dev", a.Interface)
	for to, says := range map[string]string{"10.9.0.3": "Destination Host Unreachable", "fd4c:3254:99::3": "Address unreachable"} {
		start := time.Now()
		out := w.run(w.A, "sh", "-c", "ping -n -c 2 -i 0.2 -W 5 "+to+" || true")
		if took := time.Since(start); !strings.Contains(out, says) || took > 4*time.Second {
			t.Errorf("ping %s, %v: %s", to, took, out)
		}
		t.Log(a.finding("L2T-508", to))
	}
	w.pings(w.A, b.v4, 5)
}

// refuses runs f, after which the node has counted a reason for its peer once more.
func (n *node) refuses(p *node, reason string, f func()) {
	n.w.Helper()
	before := n.peer(p).Dropped[reason]
	f()
	n.waitPeer(p, patience, "counting "+reason, func(now control.Peer) bool { return now.Dropped[reason] > before })
}

// The attack of the review: a hub that owns the network in which the victim's
// address is sends from that address to that address. The victim's kernel takes
// it for its own; l2tun does not let it in. And what lies behind a node that
// forwards is reached by a peer only once the node routes it on purpose.
func TestPeersUseTheirOwnAddresses(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, "")
	edit := func(n *node, old, now string) {
		text := w.read(n.Config)
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not in the config", old)
		}
		w.ok(os.WriteFile(n.Config, []byte(strings.Replace(text, old, now, 1)), 0o600))
	}
	ours := netip.MustParseAddr("fd99::1")
	edit(a, "\naddresses = [", "\naddresses = [\"fd99::1/128\", ")
	edit(a, "\nallowed_ips = [", "\nallowed_ips = [\"fd99::/64\", ")                                          // the hub
	edit(b, "\nallowed_ips = [", "\nallowed_ips = [\"fd99::1/128\", \"10.88.0.0/16\", \"192.168.77.0/24\", ") // so that its packets leave for A
	w.bothUp(a, b)

	c, err := w.A.ListenUDP(netip.AddrPortFrom(ours, 7777))
	w.ok(err)
	defer c.Close()
	send := func(from string, script string) {
		w.run(w.B, "ip", "addr", "add", from, "dev", b.Interface, "nodad")
		defer w.run(w.B, "ip", "addr", "del", from, "dev", b.Interface)
		w.run(w.B, "sh", "-c", script)
	}
	heard := func() bool {
		c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		_, _, err := c.ReadFrom(make([]byte, 100))
		ne, timeout := err.(net.Error)
		return err == nil || !timeout || !ne.Timeout()
	}
	send("fd99::2/128", "echo x | socat -u - UDP6-SENDTO:[fd99::1]:7777,bind=[fd99::2]") // control
	control := heard()
	a.refuses(b, "bad_source", func() { // B sends as if it had A's address
		var lc net.ListenConfig
		lc.Control = func(_, _ string, rc syscall.RawConn) error {
			return rc.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1) })
		}
		w.ok(w.B.Do(func() error {
			s, err := lc.ListenPacket(w.Context(), "udp6", "[fd99::1]:7777")
			if err != nil {
				return err
			}
			defer s.Close()
			_, err = s.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(ours, 7777)))
			return err
		}))
	})
	spoofed := heard()
	if !control || spoofed {
		t.Errorf("from the hub's own address: %v; from the victim's: %v", control, spoofed)
	}
	t.Log(a.finding("L2T-509", "fd99::1"))
	faults.Report(t, "S7", control && !spoofed, "live: a socket bound to the victim's address heard the hub's own address and nothing from itself; bad_source counted, L2T-509 names it")

	own := netip.MustParseAddr("10.88.0.1") // of the host, on another interface, since the node started
	w.run(w.A, "ip", "addr", "add", "10.88.0.1/32", "dev", "lo")
	w.pings(w.B, own, 5)

	lan, err := w.Host("LAN")
	w.ok(err)
	cable, err := w.Connect(lan, w.A, 0)
	w.ok(err)
	w.ok(w.A.Forward(true))
	w.ok(lan.AddAddr(cable.A.Dev, netip.MustParsePrefix("192.168.77.2/24")))
	w.ok(w.A.AddAddr(cable.B.Dev, netip.MustParsePrefix("192.168.77.1/24")))
	w.ok(lan.Route(netip.MustParsePrefix("10.9.0.0/24"), netip.MustParseAddr("192.168.77.1"), 0))
	behind := netip.MustParseAddr("192.168.77.2")
	w.pings(w.A, behind, 5)
	a.refuses(b, "bad_destination", func() { w.silent(w.B, behind) })
	t.Log(a.finding("L2T-510", "192.168.77.2"))
	edit(a, "\n[[peer]]", "\n[[route]]\nprefix = \"192.168.77.0/24\"\n\n[[peer]]")
	w.must(w.A, "reload", "--socket", a.Socket)
	w.pings(w.B, behind, 5)
	edit(a, "\n[[route]]\nprefix = \"192.168.77.0/24\"\n\n", "\n")
	w.must(w.A, "reload", "--socket", a.Socket)
	a.refuses(b, "bad_destination", func() { w.silent(w.B, behind) })
	faults.Report(t, "S23", true, "live: the host's own address answers a peer; a network behind a node that forwards is unreachable, reached with [[route]] after a reload, and unreachable again without")
}
