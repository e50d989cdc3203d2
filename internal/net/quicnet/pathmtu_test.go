package quicnet

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/records"
)

// A remote that is known to have a small path MTU is dialled and answered with
// small packets alone: the dial of full ones would cost 1.5 s.
func TestReducedPathMTUIsDialledWithSmallPackets(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	at, larger := relay(t, b.LocalAddr(), 1250)
	a.ReducePathMTU(at)
	ca, cb := connect(t, a, b, at)
	if n := larger.Load(); n != 0 {
		t.Errorf("%d full packets were sent", n)
	}
	if ca.Path().Room() != 1163 || cb.Path().Room() != 1163 {
		t.Errorf("rooms %d and %d, want 1163", ca.Path().Room(), cb.Path().Room())
	}
	wantTraffic(t, a, b, ca, cb)

	b.ReducePathMTU(a.LocalAddr())
	ca, cb = connect(t, a, b, b.LocalAddr())
	if ca.Path().Room() != 1415 || cb.Path().Room() != 1163 {
		t.Errorf("rooms %d and %d: the listener knows that its path MTU is small", ca.Path().Room(), cb.Path().Room())
	}
}

// The ticket of a connection with full packets is used with small ones.
func TestReducedPathMTUIsDialledEarlyWithSmallPackets(t *testing.T) {
	a, b, _, _ := pair(t)
	a.ReducePathMTU(b.LocalAddr())
	early := earlyConnOf(t, a, b)
	if _, err := early.Stream().Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	ca, taken, err := early.Complete(records.Context(t))
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	if got := ca.Path().Room(); got != 1163 {
		t.Errorf("room %d, want 1163", got)
	}
}

func TestReducedPathMTUsAreForgotten(t *testing.T) {
	var n reducedMTUs
	now := time.Now()
	at := func(i int) netip.AddrPort {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(i))
		return netip.AddrPortFrom(netip.AddrFrom4(b), 1)
	}
	for i := range 3 * maxReducedMTUs {
		n.add(at(i), now)
	}
	last := at(3*maxReducedMTUs - 1)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(last.Addr().As16()), 1)
	if len(n.until) > maxReducedMTUs || !n.has(last, now) || !n.has(mapped, now) {
		t.Errorf("%d remembered, the newest %v", len(n.until), n.has(last, now))
	}
	if n.has(last, now.Add(reducedMTULife)) {
		t.Error("a path MTU is small for ever")
	}
}
