package e2e

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// pings reports whether an address answers within a second.
func (n *node) pings(to netip.Addr) bool {
	_, err := n.Host.Run(n.w.Context(), "ping", "-c", "1", "-W", "1", to.String())
	return err == nil
}

func (w *world) says(n *node, code string) {
	w.Helper()
	for _, f := range n.status().Health {
		if f.Code == code {
			return
		}
	}
	w.Errorf("status of %s does not say %s: %+v", n.Interface, code, n.status().Health)
}

// What another program removes from the interface comes back, and is said.
func TestWhatOthersRemoveComesBack(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	for _, loss := range []struct {
		what    string
		do      [][]string
		through netip.Addr
	}{
		{"routes", [][]string{{"ip", "route", "flush", "dev", a.Interface, "proto", "108"}}, b.v4},
		{"addresses", [][]string{{"ip", "addr", "flush", "dev", a.Interface, "scope", "global"}}, b.v4},
		{"IPv6", [][]string{{"sysctl", "-qw", "net.ipv6.conf." + a.Interface + ".disable_ipv6=1"}, {"sysctl", "-qw", "net.ipv6.conf." + a.Interface + ".disable_ipv6=0"}}, a.Address},
	} {
		before := a.status().Host
		for _, c := range loss.do {
			w.run(w.A, c[0], c[1:]...)
		}
		w.eventually(15*time.Second, loss.what+" are there again", func() bool {
			h := a.status().Host
			return a.pings(loss.through) && h.Repaired > before.Repaired && len(h.Missing) == 0 && !h.NoIPv6
		})
		w.says(a, "L2T-513")
	}
	w.run(w.A, "ip", "link", "set", a.Interface, "down")
	w.eventually(15*time.Second, "what is missing is told", func() bool { return len(a.status().Host.Missing) > 0 })
	w.says(a, "L2T-513")
	w.run(w.A, "ip", "link", "set", a.Interface, "up")
	w.eventually(15*time.Second, "all is there again", func() bool { return a.pings(b.v4) && len(a.status().Host.Missing) == 0 })
}

// A reload that changes addresses, moves a prefix and renews a session leaves no
// moment without a route: every change of the routes is watched.
func TestReloadMakesBeforeItBreaks(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	monitor := filepath.Join(w.Dir(), "monitor")
	out, err := os.Create(monitor)
	w.ok(err)
	defer out.Close()
	c := w.A.Command(w.Context(), "ip", "-o", "monitor", "route")
	c.Stdout = out
	w.ok(c.Start())
	defer c.Stop(time.Second)
	time.Sleep(200 * time.Millisecond)
	text, err := os.ReadFile(a.Config)
	w.ok(err)
	other := w.node(w.R) // never up: a peer to which the prefix moves
	edited := strings.Replace(string(text), `addresses = ["10.9.0.1/24"]`, `addresses = ["10.9.0.77/24"]`, 1)
	edited = strings.Replace(edited, b.DID, other.DID, 1)
	if edited == string(text) {
		t.Fatal("nothing edited")
	}
	w.ok(os.WriteFile(a.Config, []byte(edited), 0o600))
	w.must(w.A, "reload", "--socket", a.Socket)
	w.eventually(patience, "the new address", func() bool {
		return strings.Contains(w.run(w.A, "ip", "addr", "show", "dev", a.Interface), "10.9.0.77/24")
	})
	time.Sleep(200 * time.Millisecond)
	seen, err := os.ReadFile(monitor)
	w.ok(err)
	for line := range strings.Lines(string(seen)) {
		if strings.HasPrefix(line, "Deleted "+b.v4.String()) {
			t.Errorf("the route of the prefix was removed: %s", line)
		}
	}
	if now := w.run(w.A, "ip", "route", "get", b.v4.String()); !strings.Contains(now, "dev "+a.Interface) {
		t.Errorf("the route is gone: %q", now)
	}
}

// A host without IPv6 runs a node over IPv4; one prefix that is taken, at the
// start or later, leaves the others alone; and the hub sends no redirects.
func TestNodeTakesTheHostAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	w.run(w.A, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv4.ip_forward=1")
	w.run(w.A, "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
	w.run(w.A, "ip", "link", "set", "lan1", "up")
	w.run(w.A, "ip", "link", "set", "lan0", "up")
	w.run(w.A, "ip", "addr", "add", "192.168.7.50/24", "dev", "lan0")
	a.knows(b, b.endpoint4(), "192.168.7.0/24", "192.168.8.0/24")
	b.knows(a, "")
	b.up()
	a.up()
	w.established(a, b)
	if !a.pings(b.v4) {
		t.Error("no way to the peer")
	}
	w.says(a, "L2T-304")
	w.says(a, "L2T-302")
	w.run(w.A, "ip", "addr", "add", "192.168.8.50/24", "dev", "lan0") // a LAN that comes later
	if way := w.run(w.A, "ip", "route", "get", "192.168.8.20"); !strings.Contains(way, "dev lan0") {
		t.Errorf("the own LAN is not reachable: %s", way)
	}
	if h := a.status().Host; len(h.Taken) != 2 {
		t.Errorf("taken: %+v", h.Taken)
	}
	for _, knob := range []string{"all", a.Interface} {
		if v := w.run(w.A, "sysctl", "-n", "net.ipv4.conf."+knob+".send_redirects"); strings.TrimSpace(v) != "0" {
			t.Errorf("send_redirects of %s is %s", knob, v)
		}
	}
	w.run(w.A, "ip", "link", "del", "lan0")
	if way := w.run(w.A, "ip", "route", "get", "192.168.8.20"); !strings.Contains(way, "dev "+a.Interface) {
		t.Errorf("without the LAN the peer does not have its prefix: %s", way)
	}
	a.stop()
	if v := w.run(w.A, "sysctl", "-n", "net.ipv4.conf.all.send_redirects"); strings.TrimSpace(v) != "1" {
		t.Errorf("send_redirects was not given back: %s", v)
	}
}

// Containers that come and go concern no peer: nobody is probed and no back-off
// ends. A change of the way to a peer is seen at once.
func TestContainersCostNoProbes(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	const line = "routes to peers changed"
	for range 8 {
		w.run(w.A, "sh", "-ec", `ip link add c0 type veth peer name c1; ip link set c0 up; ip link set c1 up; ip addr add 172.17.1.1/32 dev c1
			ip route add 172.18.0.0/16 dev c1; sleep 0.1; ip link del c0`)
	}
	time.Sleep(500 * time.Millisecond)
	if a.logged(line) != 0 {
		t.Errorf("containers have changed the way to %d peers", a.logged(line))
	}
	w.run(w.A, "sh", "-ec", `to=$1; set -- $(ip route get "$to"); while [ "$1" != via ]; do shift; done; via=$2; while [ "$1" != dev ]; do shift; done
		ip addr add 198.51.100.99/32 dev "$2"; ip route replace "$to/32" via "$via" dev "$2" src 198.51.100.99`, "sh", b.Host.IP4.String())
	w.eventually(patience, "another source is seen", func() bool { return a.logged(line) > 0 })
}
