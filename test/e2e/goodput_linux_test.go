package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/lab"
)

// A network lets QUIC pass, with 20 ms and 1 % loss each way, and TCP with the same
// delay, but no records of the direct carrier. A transfer begins on datagram, moves
// to utcp within seconds, because its goodput is better, and stays there.
func TestGoodputLeavesDatagramForUTCP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	at, to := netip.AddrPortFrom(w.CableA.B.IP4.Addr(), 5000), netip.AddrPortFrom(w.B.IP4, port)
	udp, err := w.R.RelayUDP(at, to, 1)
	w.ok(err)
	udp.Set(lab.Both, lab.Disturbance{Delay: 20 * time.Millisecond, Drop: 0.01, Keep: func(p []byte) bool { return !wire.IsRecord(p) }})
	tcp, err := w.R.RelayTCP(at, to, 1)
	w.ok(err)
	tcp.Set(lab.Both, lab.Disturbance{Delay: 20 * time.Millisecond})
	a.knows(b, at.String())
	b.knows(a, "")
	w.bothUp(a, b)
	a.waitCarrier(b, "datagram", 10*time.Second)

	size := either(int64(60_000_000), 600_000_000)
	f := w.flow(w.A, w.B, b.v4, size, 0)
	took := a.waitCarrier(b, "utcp", 20*time.Second)
	moved := f.passed.Load()
	for range either(8, 60) {
		time.Sleep(time.Second)
		if c := a.peer(b).Carrier; c != "utcp" {
			t.Fatalf("A is on %s again; the log says %d times that goodput was compared", c, a.logged("goodput compared"))
		}
	}
	f.done(2 * time.Minute)
	t.Logf("on utcp %v after the transfer began, %d of %d bytes had come; %d lines about goodput", took.Round(time.Millisecond), moved, size, a.logged("goodput compared"))
	if a.logged("verdict=better") != 1 {
		t.Errorf("utcp was found to be better %d times, not once", a.logged("verdict=better"))
	}
	for _, n := range [][2]*node{{a, b}, {b, a}} {
		if got := n[0].peer(n[1]); got.Handshakes != 1 || got.State != "established" && got.State != "rotating" {
			t.Errorf("%s: %s", n[0].Interface, brief(got))
		}
	}
}
