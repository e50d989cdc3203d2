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

// A poured is the datagrams of one that were sent and that came.
type poured struct{ sent, came int }

func (p poured) percent() float64 { return 100 * float64(p.came) / float64(p.sent) }

// pour lets them flow side by side.
func (w *relayed) pour(length time.Duration, all ...pouring) []poured {
	w.Helper()
	const port = 4998
	parts := make([]poured, len(all))
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
			parts[i] = poured{sent, <-came}
		})
	}
	flows.Wait()
	return parts
}

// send sends what is due every few milliseconds and returns how many datagrams that were.
// What a busy machine has kept it from sending for 20 ms is not sent later, in a burst.
func (s pouring) send(out *net.UDPConn, to netip.AddrPort, length time.Duration) (sent int) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	b := make([]byte, pouringSize)
	most, missed := max(1, s.rate/50/pouringSize), 0
	for began := time.Now(); time.Since(began) < length; <-tick.C {
		due := int(time.Since(began).Seconds()*float64(s.rate))/pouringSize - sent - missed
		missed += max(0, due-most)
		for range min(due, most) {
			_, _ = out.WriteToUDPAddrPort(b, to) // what the host refuses is lost as well
			sent++
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
	const total = 10_000_000 / 8 // little, for it is about shares and not about what a machine can
	config, err := os.ReadFile(w.hub.Config)
	w.ok(err)
	w.ok(os.WriteFile(w.hub.Config, []byte(strings.Replace(string(config), `relay = "peers"`, "relay = \"peers\"\nrelay_rate = \"10Mbit/s\"\nrelay_total = \"10Mbit/s\"", 1)), 0o600))
	_, err = w.hub.Run(w.ctx, "reload", "--socket", w.hub.Socket)
	w.ok(err)
	const headers = 100 // bytes a datagram, at most, of what the hub counts
	share := total / 2 * pouringSize / (pouringSize + headers)
	const length = 6 * time.Second
	parts := w.pour(length, pouring{w.a, w.b, share}, pouring{c, d, 3 * total})
	modest, greedy, s := parts[0], parts[1], w.relaying()
	t.Logf("of what the modest source sent %.1f %% came, of the greedy one's %.1f %%; the hub: %+v", modest.percent(), greedy.percent(), s)
	if modest.percent() < 90 {
		t.Errorf("the modest source got %.1f %% of its share", modest.percent())
	}
	most := int(length.Seconds() * 1.2 * total)
	if came := (modest.came + greedy.came) * pouringSize; came > most || s.Dropped == 0 {
		t.Errorf("the hub is not full: %d bytes of at most %d came, and %d datagrams were dropped", came, most, s.Dropped)
	}
}

// site is a further home behind a symmetric NAT.
func (w *relayed) site(name string) *nat.Site {
	w.Helper()
	s, err := w.net.Site(name, nat.Symmetric)
	w.ok(err)
	return s
}
