package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

// A relayed pair is two homes behind symmetric NATs, which have only the hub.
type relayed struct {
	*testing.T
	ctx  context.Context
	net  *nat.Net
	hub  *reach.Hub
	a, b *reach.Home
}

// throughAHub lets the two meet.
func throughAHub(t *testing.T) *relayed {
	t.Helper()
	lab.Require(t, lab.TUN, "ip", "ping", "nft")
	needRuntimeDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	n, err := nat.Lay("hub", nat.Shape{A: nat.Symmetric, B: nat.Symmetric, Delay: 5 * time.Millisecond, IPv4Only: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &relayed{T: t, ctx: ctx, net: n}
	t.Cleanup(func() {
		cancel()
		w.ok(n.Close())
	})
	w.hub, err = reach.NewHub(ctx, n.Internet, reach.Options{Program: l2tunBinary(), Dir: n.Dir(), Tag: fmt.Sprintf("%07x-", rand.N(1<<28))})
	w.ok(err)
	t.Cleanup(func() { reach.End(w.hub.Node) })
	w.a, w.b = w.home(n.A, "a"), w.home(n.B, "b")
	r, err := reach.Meet(ctx, w.a, w.b, 4*time.Second)
	w.ok(err)
	t.Logf("%v, by %s and %s", r, r.Caller.Carrier, r.Callee.Carrier)
	if !r.Is(reach.Circuit) || r.Caller.Path.Through != w.hub.DID || r.Twice > 0 {
		t.Fatalf("not through the hub: %+v", r)
	}
	return w
}

func (w *relayed) home(s *nat.Site, name string) *reach.Home {
	w.Helper()
	x, err := w.hub.Home(w.ctx, s, name)
	w.ok(err)
	w.ok(x.Up(w.ctx))
	w.Cleanup(func() { reach.End(x.Node) })
	return x
}

func (w *relayed) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// relaying is what the hub says that it does.
func (w *relayed) relaying() control.Relaying {
	w.Helper()
	st, err := w.hub.Client().Status(w.ctx)
	w.ok(err)
	return st.Relaying
}

// pings are the packets of a that b answers, up to the first that it does not, and why.
func (w *relayed) pings(count int) (answered int, why string) {
	w.Helper()
	return eachPing(w.ctx, w.a.Host, w.b.Inside.Addr(), count)
}

// A hub forwards what two homes send and says so in status and metrics, and forwards
// nothing from the moment at which relay is off.
func TestAHubForwards(t *testing.T) {
	t.Parallel()
	w := throughAHub(t)
	if n, why := w.pings(20); n != 20 {
		t.Errorf("%d of 20 pings are answered through the hub: %s; it says %+v", n, why, w.relaying())
	}
	s := w.relaying()
	if s.Mode != "peers" || s.Circuits != 1 || s.TxBytes == 0 || s.RxBytes < s.TxBytes {
		t.Errorf("the hub says %+v", s)
	}
	for _, line := range []string{"l2tun_relay_circuits 1\n", `l2tun_relay_dropped_datagrams_total{reason="queue_full"} `, "l2tun_relay_meetings_total "} {
		text, err := w.hub.Run(w.ctx, "metrics", "--socket", w.hub.Socket)
		w.ok(err)
		if !strings.Contains(string(text), line) {
			t.Errorf("the metrics have no %q", line)
		}
	}
	text, err := w.a.Run(w.ctx, "metrics", "--socket", w.a.Socket)
	if w.ok(err); strings.Contains(string(text), "l2tun_relay_") {
		t.Error("a node that is no hub has series of one")
	}
	config, err := os.ReadFile(w.hub.Config)
	w.ok(err)
	w.ok(os.WriteFile(w.hub.Config, []byte(strings.Replace(string(config), `relay = "peers"`, `relay = "off"`, 1)), 0o600))
	_, err = w.hub.Run(w.ctx, "reload", "--socket", w.hub.Socket)
	w.ok(err)
	off := w.relaying()
	if n, _ := w.pings(5); n > 0 || off.Mode != "off" || off.Circuits != 0 {
		t.Errorf("relay is off: %d pings are answered, and the hub says %+v", n, off)
	}
	if s = w.relaying(); s.TxBytes != off.TxBytes {
		t.Errorf("%d bytes were forwarded after relay was off", s.TxBytes-off.TxBytes)
	}
}
