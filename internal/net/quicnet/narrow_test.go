package quicnet

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// A remote that is known to be behind a narrow way is dialled and answered with
// small packets alone: the dial of full ones would cost 1.5 s.
func TestNarrowWaysAreDialledWithSmallPackets(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	at := relay(t, b.LocalAddr(), 1250)
	a.Narrow(at)
	begin := time.Now()
	ca, cb := connect(t, a, b, at)
	if took := time.Since(begin); took >= smallDialAfter {
		t.Errorf("connected after %v", took)
	}
	if ca.Path().Room() != 1163 || cb.Path().Room() != 1163 {
		t.Errorf("rooms %d and %d, want 1163", ca.Path().Room(), cb.Path().Room())
	}
	wantTraffic(t, a, b, ca, cb)

	b.Narrow(a.LocalAddr())
	ca, cb = connect(t, a, b, b.LocalAddr())
	if ca.Path().Room() != 1415 || cb.Path().Room() != 1163 {
		t.Errorf("rooms %d and %d: the listener knows that its way is narrow", ca.Path().Room(), cb.Path().Room())
	}
}

// The ticket of a connection with full packets is used with small ones.
func TestNarrowWaysAreDialledEarlyWithSmallPackets(t *testing.T) {
	a, b, _, _ := pair(t)
	a.Narrow(b.LocalAddr())
	early := earlyConnOf(t, a, b)
	if _, err := early.Stream().Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	ca, taken, err := early.Complete(testContext(t))
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	if got := ca.Path().Room(); got != 1163 {
		t.Errorf("room %d, want 1163", got)
	}
}

func TestNarrowWaysAreForgotten(t *testing.T) {
	var n narrowWays
	now := time.Now()
	at := func(i int) netip.AddrPort {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(i))
		return netip.AddrPortFrom(netip.AddrFrom4(b), 1)
	}
	for i := range 3 * maxNarrow {
		n.add(at(i), now)
	}
	last := at(3*maxNarrow - 1)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(last.Addr().As16()), 1)
	if len(n.until) > maxNarrow || !n.has(last, now) || !n.has(mapped, now) {
		t.Errorf("%d remembered, the newest %v", len(n.until), n.has(last, now))
	}
	if n.has(last, now.Add(narrowLife)) {
		t.Error("a way is narrow for ever")
	}
}
