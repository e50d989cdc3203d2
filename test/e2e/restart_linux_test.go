package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// gone fails the test if a node has left an interface, a route or a socket, or
// still listens. It looks at once.
func (n *node) gone() {
	n.w.Helper()
	for _, look := range [][]string{{"-o", "link"}, {"-o", "addr"}, {"route", "show", "table", "all"}, {"-6", "route", "show", "table", "all"}} {
		if out := n.w.run(n.Host, "ip", look...); strings.Contains(out, n.Interface) || strings.Contains(out, "proto 108") {
			n.w.Errorf("%s is gone but not all of it: ip %s: %s", n.Interface, strings.Join(look, " "), out)
		}
	}
	if out := n.w.run(n.Host, "cat", "/proc/self/net/udp", "/proc/self/net/udp6", "/proc/self/net/tcp", "/proc/self/net/tcp6"); strings.Contains(out, ":1092 ") {
		n.w.Errorf("port %d is still taken: %s", port, out)
	}
	if _, err := os.Lstat(n.Socket); !errors.Is(err, fs.ErrNotExist) {
		n.w.Errorf("the control socket of %s is still there: %v", n.Interface, err)
	}
}

func TestDownLeavesNothing(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	if out := w.run(w.A, "ip", "route", "show", "proto", "108"); !strings.Contains(out, a.Interface) {
		t.Fatalf("no route to look for: %q", out)
	}
	w.must(w.A, "down", "--socket", a.Socket)
	a.gone() // when the command returns, not a moment later
	w.ok(a.Cmd.Wait())
	a.Cmd = nil
	a.up()
	w.established(a, b)
	w.pings(w.A, b.v4, 10)
}

func TestSIGTERMLeavesNothing(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	for range 2 {
		a.stop()
		a.gone()
		a.up()
		w.established(a, b)
		w.pings(w.B, a.v4, 10)
	}
}

// After kill -9 only the socket file can be left, and it stands in nobody's way.
func TestKillStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	for range 2 {
		a.kill()
		if _, err := os.Lstat(a.Socket); err != nil {
			t.Errorf("the test expects a stale socket: %v", err)
		}
		r := w.l2tun(w.A, "status", "--socket", a.Socket)
		w.refused(r, 1, "no node runs")
		a.up()
		w.established(a, b)
		w.pings(w.A, b.v4, 10)
	}
	a.down()
	a.gone()
}

// A peer that leaves says so: the other end is not left to find out.
func TestDownTellsThePeer(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t)
	b.down()
	a.waitLog(1, "cause=peer_closed")
	if n := a.logged("session degraded"); n != 0 {
		t.Error("A was left to find out that B is gone")
	}
}

// B dies under traffic and comes back: nobody has to do anything about A.
func TestKilledPeerComesBackUnderTraffic(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	traffic := w.endlessPing(a, b)
	for _, dead := range []time.Duration{300 * time.Millisecond, 4 * time.Second} {
		time.Sleep(300 * time.Millisecond)
		before := a.peer(b)
		b.kill()
		time.Sleep(dead)
		b.up()
		start := time.Now()
		a.waitPeer(b, 15*time.Second, "established anew", func(p control.Peer) bool {
			return isEstablished(p) && p.Handshakes > before.Handshakes
		})
		w.established(a, b)
		t.Logf("B was dead for %v; its node was back, and the session %v later", dead, time.Since(start).Round(time.Millisecond))
		w.pings(w.A, b.v4, 20)
		w.pings(w.B, a.Address, 20)
	}
	t.Logf("of the pings that went on all the time: %s", traffic())
}

// endlessPing pings B ten times a second until the function that it returns is
// called.
func (w *world) endlessPing(a, b *node) (summary func() string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(cancel)
	c := a.Host.Command(ctx, "ping", "-n", "-q", "-i", "0.1", "-W", "1", b.v4.String())
	var out strings.Builder
	c.Stdout = &out
	w.ok(c.Start())
	return func() string {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait() // pings were lost, and ping says so by its code
		return regexp.MustCompile(`\d+ packets transmitted, \d+ received`).FindString(out.String())
	}
}

// What happens to one end a few times in a row happens to both in the end.
func TestBothEndsRestartAtOnce(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	for i := range 2 {
		a.kill()
		b.kill()
		a.up()
		b.up()
		w.established(a, b)
		t.Log("restart " + strconv.Itoa(i+1) + ": " + brief(a.peer(b)))
		w.pings(w.A, b.v4, 10)
	}
}
