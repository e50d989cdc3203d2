package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/transport/discovery"
)

// lan is two nodes on one cable, who have each other as peers and no endpoints.
func lan(t *testing.T, how string) (w *world, a, b *node) {
	t.Helper()
	w = newWorld(t, lab.Shape{})
	a, b = w.node(w.A), w.node(w.B)
	for _, n := range []*node{a, b} {
		text, err := os.ReadFile(n.Config)
		w.ok(err)
		w.ok(os.WriteFile(n.Config, append([]byte(how+"\n"), text...), 0o600))
	}
	a.knows(b, "")
	b.knows(a, "")
	return w, a, b
}

// SPEC section 3, Discovery.
func TestNodesOnOneSegmentFindEachOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ how, begins string }{
		"by multicast": {`discovery = ["multicast"]`, "[fe80:"},
		"by broadcast": {`discovery = ["broadcast"]`, "10.77."},
		"by default":   {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, a, b := lan(t, c.how)
			a.up()
			b.up()
			start := time.Now()
			a.waitPeer(b, patience, "established", isEstablished)
			b.waitPeer(a, patience, "established", isEstablished)
			at := a.peer(b).Endpoint
			t.Logf("established %v after the second node was up, at %s", time.Since(start).Round(time.Millisecond), at)
			if !strings.HasPrefix(at, c.begins) {
				t.Errorf("found at %s", at)
			}
			w.pings(w.A, b.v4, 20)
			w.pings(w.B, a.Address, 20)
		})
	}
}

// A node that comes back is found again, although nobody has an endpoint.
func TestPeerThatRestartsIsFoundAgain(t *testing.T) {
	t.Parallel()
	w, a, b := lan(t, "")
	a.up()
	b.up()
	w.established(a, b)
	b.down()
	a.waitPeer(b, patience, "idle", func(p control.Peer) bool { return p.State == "idle" })
	b.up()
	a.waitPeer(b, patience, "established", isEstablished)
	b.waitPeer(a, patience, "established", isEstablished)
	w.pings(w.A, b.v4, 5)
}

func TestDiscoveryOffOpensNoSocket(t *testing.T) {
	t.Parallel()
	w, a, b := lan(t, "discovery = []")
	a.up()
	quiet := sockets(w, a)
	if quiet[discovery.Port] > 0 || len(quiet) != 1 || quiet[port] == 0 {
		t.Errorf("UDP sockets by port: %v", quiet)
	}
	w.ok(os.WriteFile(b.Config, []byte(strings.Replace(w.read(b.Config), "discovery = []", "", 1)), 0o600))
	b.up()
	if loud := sockets(w, b); loud[discovery.Port] != 2 || len(loud) != 4 {
		t.Errorf("UDP sockets by port when it is on: %v", loud)
	}
	time.Sleep(3 * time.Second)
	if p := b.peer(a); p.State != "idle" || a.logged("found on the LAN") > 0 {
		t.Errorf("found although it is off: %+v", p)
	}
	faults.Report(t, "D7", true, "one UDP socket, that of listen")
}

func (w *world) read(file string) string {
	w.Helper()
	text, err := os.ReadFile(file)
	w.ok(err)
	return string(text)
}

// sockets counts the UDP sockets of a node's host that others can reach, by local port.
func sockets(w *world, n *node) map[int]int {
	w.Helper()
	ports := make(map[int]int)
	w.ok(n.Host.Do(func() error {
		for _, file := range []string{"/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"} {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
				local := strings.Fields(line)[1]
				if strings.Contains(local, "7F:") { // 127/8, the last byte first: names are asked for there
					continue
				}
				p, err := strconv.ParseUint(local[strings.LastIndex(local, ":")+1:], 16, 16)
				if err != nil {
					return err
				}
				ports[int(p)]++
			}
		}
		return nil
	}))
	return ports
}
