package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/test/lab"
)

// Two nodes that nobody uses sleep and say so, and are healthy; a ping through the tunnel
// wakes them, and its first reply is there within a second.
func TestIdleNodesSleepAndAPingWakesThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	for _, n := range []*node{a, b} {
		w.ok(n.Prepend("session.idle_after = \"4s\"\n"))
	}
	a.knows(b, b.endpoint4())
	b.knows(a, a.endpoint4())
	b.up()
	a.up()
	w.established(a, b)
	asleep := func() {
		w.Helper()
		for n, p := range map[*node]*node{a: b, b: a} {
			n.waitPeer(p, time.Minute, "asleep", func(c control.Peer) bool { return health.Asleep(&c) })
		}
	}
	asleep()
	if said := w.prints(a, "status"); !strings.Contains(said, "asleep") {
		t.Errorf("status says:\n%s", said)
	}
	for _, f := range a.status().Health {
		if f.About != "" {
			t.Errorf("of a sleeper: %+v", f)
		}
	}
	for n, p := range map[*node]*node{a: b, b: a} {
		start := time.Now()
		pings := w.pinging(n.Host, p.v4, 100*time.Millisecond)
		pings.answeredAfter(start, 15*time.Second)
		took := time.Since(start)
		pings.stop()
		t.Logf("the first ping is answered after %v", took.Round(time.Millisecond))
		if took > time.Second {
			t.Errorf("the first ping is answered after %v, the limit is 1 s", took)
		}
		asleep()
	}
	w.prints(a, "ping", "-c", "1", b.DID)
	asleep()
	w.prints(a, "wait", "--timeout", "15s", b.DID)
}

// prints is what a command of a node prints.
func (w *world) prints(n *node, args ...string) string {
	w.Helper()
	ctx, cancel := w.soon()
	defer cancel()
	out, err := n.Run(ctx, append(args, "--socket", n.Socket)...)
	w.ok(err)
	return string(out)
}
