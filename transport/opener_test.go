package transport

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/records"
)

// SPEC R-3.10-1, for openers and knocks: what is told must not be dialled gets none.
func TestWhatIsNotDialledGetsNoKnock(t *testing.T) {
	var may []netip.AddrPort
	for _, a := range []string{"192.0.2.1:4242", "127.0.0.1:4242", "169.254.169.254:4242", "[64:ff9b::a9fe:a9fe]:4242", "224.0.0.1:4242", "[fd00:ec2::254]:4242", "[fd00::1]:4242"} {
		may = append(may, netip.MustParseAddrPort(a))
	}
	got := openable(may)
	want := []netip.AddrPort{may[0], may[1], may[6]} // loopback is the socket's to refuse
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Fatal(got)
	}
	a := startNode(t, netip.MustParseAddrPort("0.0.0.0:0"))
	b := startNode(t, loopback)
	a.SendKnocks([]netip.AddrPort{b.LocalAddr(), may[2]})
	if s := a.Stats().Opening; s.Knocks != 0 || s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}

// A connection and a path are heard from, whichever socket has them.
func TestConnectionsAreHeardFrom(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	ca, cb := connectFresh(t, a, b)
	for _, heard := range []func() time.Time{
		func() time.Time { return a.HeardFrom(b.LocalAddr()) }, func() time.Time { return b.HeardFrom(cb.Remote()) },
	} {
		heard()
		records.Eventually(t, 30*time.Second, "packets both ways are heard", func() bool {
			ca.Path().Send(records.Batch(records.New(100, 1)))
			cb.Path().Send(records.Batch(records.New(100, 1)))
			return time.Since(heard()) < time.Second
		})
	}
	knocked := make(chan netip.AddrPort, 1)
	defer b.Await([]netip.AddrPort{a.LocalAddr()}, func(r netip.AddrPort) { knocked <- r })()
	a.SendKnocks([]netip.AddrPort{b.LocalAddr()})
	select {
	case r := <-knocked:
		if r != a.LocalAddr() {
			t.Error(r)
		}
	case <-time.After(30 * time.Second):
		t.Error("the knock is not heard")
	}
}
