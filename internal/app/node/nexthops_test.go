package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/routing"
)

// Only peers with another route are returned: by interface, gateway, source or
// carrier, also where only a name is known. Many looks are few lookups.
func TestOnlyPeersWithAChangedRouteAreReturned(t *testing.T) {
	of := func(n byte) did.DID { return did.FromDigest([32]byte{n}) }
	near, far, name := of(1), of(2), of(3)
	lan, wan := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.7")
	table := map[netip.Addr]routing.NextHop{lan: {Interface: 2, Running: true}, wan: {Interface: 3, Running: true, Gateway: lan},
		routing.Far()[0]: {Interface: 3, Running: true, Gateway: lan}}
	lookups := 0
	w := &nextHops{pass: func() {}, to: func(a netip.Addr) routing.NextHop { lookups++; return table[a] }, last: make(map[did.DID]map[netip.Addr]routing.NextHop)}
	all := []destination{{peer: near, addrs: []netip.Addr{lan, lan}}, {peer: far, addrs: []netip.Addr{wan}}, {peer: name, named: true}}
	now := time.Now()
	look := func(what string, want ...did.DID) {
		t.Helper()
		if got := w.changed(all, now); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	look("the first look")
	lookups = 0
	look("nothing has changed")
	if lookups != 4 {
		t.Errorf("%d lookups", lookups)
	}
	change := func(a netip.Addr, f func(*routing.NextHop)) { w := table[a]; f(&w); table[a] = w }
	change(lan, func(w *routing.NextHop) { w.Running = false })
	look("no carrier", near)
	change(wan, func(w *routing.NextHop) { w.Source = lan })
	look("another source", far)
	change(routing.Far()[0], func(w *routing.NextHop) { *w = routing.NextHop{} })
	look("no uplink", name)
	all = append(all, destination{peer: of(4), addrs: []netip.Addr{wan}})
	look("a new peer, whose route until now is unknown", of(4))
	look("the new peer again")
	all[0].addrs = append(all[0].addrs, wan)
	look("a peer at another address", near)
	if w.wait(now) < nextHopGap || w.wait(now.Add(time.Hour)) != 0 {
		t.Errorf("the next look waits %v", w.wait(now))
	}
}

// Waiting for a turn on a busy machine costs nothing: the next look is not put off.
func TestABusyMachineDoesNotPutOffTheNextLook(t *testing.T) {
	lookUp := func(to func()) time.Duration {
		w := &nextHops{pass: func() {}, to: func(netip.Addr) routing.NextHop { to(); return routing.NextHop{} }, last: make(map[did.DID]map[netip.Addr]routing.NextHop)}
		now := time.Now()
		w.changed([]destination{{addrs: []netip.Addr{netip.MustParseAddr("192.0.2.7")}}}, now)
		return w.wait(now)
	}
	if got := lookUp(func() { time.Sleep(100 * time.Millisecond) }); got != nextHopGap {
		t.Errorf("after a look-up that has waited for 100 ms the next one waits %v", got)
	}
	if got := lookUp(func() { work(10 * time.Millisecond) }); got < 500*time.Millisecond {
		t.Errorf("after a look-up that has cost 10 ms the next one waits %v", got)
	}
}

// work uses CPU time.
func work(d time.Duration) {
	for began := threadTime(); threadTime()-began < d; {
	}
}
