package e2e

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

// A pouring is UDP datagrams from one home to another one at a rate.
type pouring struct {
	from, to *reach.Home
	rate     int // bytes a second of datagrams inside
}

const pouringSize = 1100 // bytes of a datagram: fits each circuit

// pour lets them flow side by side and returns which part of each has arrived.
func (w *relayed) pour(length time.Duration, all ...pouring) []float64 {
	w.Helper()
	const port = 4998
	parts := make([]float64, len(all))
	var flows sync.WaitGroup
	for i, s := range all {
		in, err := s.to.Host.ListenUDP(netip.AddrPortFrom(s.to.Inside.Addr(), port))
		w.ok(err)
		out, err := s.from.Host.ListenUDP(netip.AddrPortFrom(s.from.Inside.Addr(), port))
		w.ok(err)
		flows.Go(func() {
			defer out.Close()
			came := make(chan int)
			go func() { came <- take(in) }()
			sent := s.send(out, netip.AddrPortFrom(s.to.Inside.Addr(), port), length)
			time.Sleep(500 * time.Millisecond) // what is under way
			in.Close()
			parts[i] = float64(<-came) / float64(sent)
		})
	}
	flows.Wait()
	return parts
}

// send sends what is due every few milliseconds and returns how many datagrams that were.
func (s pouring) send(out *net.UDPConn, to netip.AddrPort, length time.Duration) (sent int) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	b := make([]byte, pouringSize)
	for began := time.Now(); time.Since(began) < length; <-tick.C {
		for due := int(time.Since(began).Seconds()*float64(s.rate)) / pouringSize; sent < due; sent++ {
			_, _ = out.WriteToUDPAddrPort(b, to) // what the host refuses is lost as well
		}
	}
	return sent
}

// take counts datagrams until the socket is closed.
func take(in *net.UDPConn) (n int) {
	b := make([]byte, 2048)
	for {
		if _, err := in.Read(b); errors.Is(err, net.ErrClosed) {
			return n
		} else if err == nil {
			n++
		}
	}
}

// A greedy source beside a modest one at a full hub: the modest one wants half of the hub
// and keeps at least 90 % of that. Both callees answer now and then; they take a share only
// of what they send.
func TestAModestSourceAtAFullHub(t *testing.T) {
	t.Parallel()
	w := throughAHub(t)
	c, d := w.home(w.site("c"), "c"), w.home(w.site("d"), "d")
	if r, err := reach.Meet(w.ctx, c, d, 4*time.Second); err != nil || !r.Is(reach.Circuit) {
		t.Fatalf("the second pair: %v, %v", r, err)
	}
	const total = 40_000_000 / 8
	config, err := os.ReadFile(w.hub.Config)
	w.ok(err)
	w.ok(os.WriteFile(w.hub.Config, []byte(strings.Replace(string(config), `relay = "peers"`, "relay = \"peers\"\nrelay_rate = \"40Mbit/s\"\nrelay_total = \"40Mbit/s\"", 1)), 0o600))
	_, err = w.hub.Run(w.ctx, "reload", "--socket", w.hub.Socket)
	w.ok(err)
	const headers = 100 // bytes a datagram, at most, of what the hub counts
	share := total / 2 * pouringSize / (pouringSize + headers)
	parts := w.pour(6*time.Second, pouring{w.a, w.b, share}, pouring{c, d, 3 * total})
	s := w.relaying()
	t.Logf("of its share the modest source got %.1f %%, of what it sent the greedy one %.1f %%; the hub: %+v", 100*parts[0], 100*parts[1], s)
	if parts[0] < 0.9 {
		t.Errorf("the modest source got %.1f %% of its share", 100*parts[0])
	}
	if both := parts[0]/2 + parts[1]*3; both > 1.2 || s.Dropped == 0 {
		t.Errorf("the hub is not full: both sources got %.0f %% of the total, and %d datagrams were dropped", 100*both, s.Dropped)
	}
}

// site is a further home behind a symmetric NAT.
func (w *relayed) site(name string) *nat.Site {
	w.Helper()
	s, err := w.net.Site(name, nat.Symmetric)
	w.ok(err)
	return s
}
