package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// opens reports whether a TCP connection opens within a time.
func (w *world) opens(from *lab.Host, to netip.Addr, port uint16, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(w.Context(), within)
	defer cancel()
	c, err := from.DialTCP(ctx, netip.AddrPortFrom(to, port))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// accepts listens for TCP on a host and ends what comes.
func (w *world) accepts(h *lab.Host, at netip.Addr, ports ...uint16) {
	w.Helper()
	for _, port := range ports {
		l, err := h.ListenTCP(netip.AddrPortFrom(at, port))
		w.ok(err)
		w.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
	}
}

// A peer about which there is an [[only]] block reaches its port and nothing else: no other
// port, and not the same one in the LAN behind; a reload widens it.
func TestOnlyLimitsAPeer(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, "")
	lan, err := w.Host("LAN")
	w.ok(err)
	cable, err := w.Connect(lan, w.A, 0)
	w.ok(err)
	w.ok(w.A.Forward(true))
	behind := netip.MustParseAddr("192.168.77.2")
	w.ok(lan.AddAddr(cable.A.Dev, netip.PrefixFrom(behind, 24)))
	w.ok(w.A.AddAddr(cable.B.Dev, netip.MustParsePrefix("192.168.77.1/24")))
	w.ok(lan.Route(netip.MustParsePrefix("10.9.0.0/24"), netip.MustParseAddr("192.168.77.1"), 0))
	base := w.read(a.Config) + "\n[[route]]\nprefix = \"192.168.77.0/24\"\n"
	limits := func(blocks ...string) {
		text := base
		for _, block := range blocks {
			text += fmt.Sprintf("\n[[only]]\npeer = %q\n%s\n", b.DID, block)
		}
		w.ok(os.WriteFile(a.Config, []byte(text), 0o600))
	}
	limits(`allow = ["tcp:2222"]`)
	theirs := strings.Replace(w.read(b.Config), "\nallowed_ips = [", "\nallowed_ips = [\"192.168.77.0/24\", ", 1)
	w.ok(os.WriteFile(b.Config, []byte(theirs), 0o600))
	w.bothUp(a, b)
	w.accepts(w.A, a.v4, 2222, 2223)
	w.accepts(lan, behind, 2222)
	w.accepts(w.B, b.v4, 2224)

	if !w.opens(w.B, a.v4, 2222, patience) {
		t.Error("the port that the peer may reach does not open")
	}
	w.pings(w.B, a.v4, 3)
	if !w.opens(w.A, b.v4, 2224, patience) {
		t.Error("the peer's answers do not come back")
	}
	const drop = "filter_not_granted"
	closed := func(to netip.Addr, port uint16) {
		a.refuses(b, drop, func() {
			if w.opens(w.B, to, port, 1500*time.Millisecond) {
				t.Errorf("%v:%d opens", to, port)
			}
		})
	}
	closed(a.v4, 2223)
	closed(behind, 2222)
	if p := a.peer(b); !p.Limited || b.peer(a).Limited {
		t.Errorf("limited: %v at the node with a block, %v at the other", p.Limited, b.peer(a).Limited)
	}
	t.Log(a.finding("L2T-527", "tcp:2222 to "+behind.String()))
	why := func(traffic string, more ...string) (says control.Why) {
		out := w.must(w.A, append([]string{"why", b.DID, traffic, "--json", "--socket", a.Socket}, more...)...)
		w.ok(json.Unmarshal([]byte(out), &says))
		return says
	}
	line := strings.Count(base, "\n") + 2
	block := fmt.Sprintf("[[only]] of line %d", line)
	if got := why("tcp:2222"); !got.Allowed || got.By != block {
		t.Errorf("tcp:2222: %+v", got)
	}
	if got := why("tcp:2223"); got.Allowed || !strings.HasSuffix(got.By, "there is "+block) {
		t.Errorf("tcp:2223: %+v", got)
	}
	if got := why("tcp:2222", "--to", behind.String()); got.Allowed || got.By != "no [[only]] block about this peer lets anything pass to 192.168.77.2" {
		t.Errorf("behind: %+v", got)
	}
	if got := why("tcp:2222", "--to", "203.0.113.1"); got.Allowed || !strings.Contains(got.By, "nor routes it") {
		t.Errorf("nobody's address: %+v", got)
	}

	limits(`allow = ["tcp:2222-2223"]`, "allow = [\"tcp:2222\"]\nto = \"192.168.77.0/24\"")
	w.must(w.A, "reload", "--socket", a.Socket)
	wider := w.opens(w.B, a.v4, 2223, patience) && w.opens(w.B, behind, 2222, patience)
	if !wider {
		t.Error("a reload does not widen the limits")
	}
	closed(a.v4, 2224)
	limits()
	w.must(w.A, "reload", "--socket", a.Socket)
	if got := why("udp:1"); !got.Allowed || a.peer(b).Limited {
		t.Errorf("without a block: %+v", got)
	}
	faults.Report(t, "S49", wider && !t.Failed(), "live: with [[only]] tcp:2222 that port opens, another one and the same one of the LAN behind do not and are counted; l2tun why names the line; wider after a reload, sessions untouched")
}

// Members reach what is granted and nothing else; an [[only]] block narrows that and opens
// nothing.
func TestGrantsLimitMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.guest(w.B)
	b.enters(a.founds(1), "m2")
	a.knowsAll(2, "m1")
	b.knowsAll(2, "m2")
	w.accepts(w.A, a.v4, 2222, 2223)
	w.pings(w.B, a.v4, 3)
	closed := func(port uint16) {
		a.refuses(b, "filter_not_granted", func() {
			if w.opens(w.B, a.v4, port, 1500*time.Millisecond) {
				t.Errorf("port %d opens", port)
			}
		})
	}
	closed(2222)
	a.network("grant", "m2", "m1", "tcp:2222-2223")
	w.eventually(patience, "a grant opens the port", func() bool { return w.opens(w.B, a.v4, 2222, time.Second) })
	says := w.must(w.A, "why", "m2", "tcp:2223", "--socket", a.Socket)
	if !strings.Contains(says, " may send tcp:2223 ") || !strings.HasSuffix(says, ": grant m2 -> m1 tcp:2222-2223\n") {
		t.Error(says)
	}
	lines := w.file("lines", "m2 -> m1 tcp:2222 yes\nm1 -> m2 tcp:2222 no\n")
	a.network("test", lines)

	text := w.read(a.Config) + fmt.Sprintf("\n[[only]]\npeer = %q\nallow = [\"tcp:2222\", \"tcp:2224\"]\n", b.DID)
	w.ok(os.WriteFile(a.Config, []byte(text), 0o600))
	w.must(w.A, "reload", "--socket", a.Socket)
	if !w.opens(w.B, a.v4, 2222, patience) {
		t.Error("what both let pass does not")
	}
	closed(2223)
	closed(2224)
	a.network("revoke", "m2", "m1", "tcp:2222-2223")
	w.eventually(patience, "the port is closed again", func() bool { return !w.opens(w.B, a.v4, 2222, time.Second) })
}
