package e2e

import (
	"math"
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
	w, a, b := withoutDirect(t)
	w.movesToUTCP(a, b)
}

// The same from B, which cannot dial A: A dials utcp for it.
func TestGoodputOfAPeerThatCannotDial(t *testing.T) {
	t.Parallel()
	w, a, b := withoutDirect(t)
	w.movesToUTCP(b, a)
}

// withoutDirect is A and B, on datagram through relays. Only A can dial.
func withoutDirect(t *testing.T) (w *world, a, b *node) {
	t.Helper()
	w = newWorld(t, lab.Shape{Routed: true})
	a, b = w.node(w.A), w.node(w.B)
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
	a.waitCarrier(b, "datagram", patience)
	b.waitCarrier(a, "datagram", patience)
	return w, a, b
}

// movesToUTCP sends from one node to the other and holds the promise above.
func (w *world) movesToUTCP(from, to *node) {
	w.Helper()
	f := w.flow(from.Host, to.Host, to.v4, math.MaxInt64, 0) // until it was watched for long enough
	took := from.waitCarrier(to, "utcp", 25*time.Second)
	moved := f.passed.Load()
	for range either(8, 45) { // a verdict stands for a minute, then it is looked at again
		time.Sleep(time.Second)
		if c := from.peer(to).Carrier; c != "utcp" {
			w.Fatalf("%s is on %s again; its log says %d times that goodput was compared", from.Interface, c, from.logged("goodput compared"))
		}
	}
	from.waitLog(1, "verdict=better") // beside others the trial may take longer than in peace
	f.enough.Store(true)
	f.done(time.Minute)
	w.Logf("on utcp %v after the transfer began, %d of %d bytes were written", took.Round(time.Millisecond), moved, f.size)
	if n := from.logged("verdict=better"); n != 1 {
		w.Errorf("utcp was found to be better %d times, not once", n)
	}
	for _, n := range [][2]*node{{from, to}, {to, from}} {
		if got := n[0].peer(n[1]); got.Handshakes != 1 || got.State != "established" && got.State != "rotating" {
			w.Errorf("%s: %s", n[0].Interface, brief(got))
		}
	}
}
