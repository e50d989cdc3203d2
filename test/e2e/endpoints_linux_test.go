package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

// A router passes a port on, of which the host knows nothing: with that in its config a
// home is reached directly from behind a symmetric NAT, which it is not else.
func TestAForwardedPortOfTheConfigIsReached(t *testing.T) {
	beside(t)
	g := gather(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay, IPv4Only: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := g.net.Site("forwarded", nat.Home)
	if err != nil {
		t.Fatal(err)
	}
	const port = 5000
	at := netip.AddrPortFrom(s.Router.IP4, port)
	if err := s.Router.Forward(at.Addr(), map[uint16]netip.AddrPort{port: netip.AddrPortFrom(s.Addr4(), 4242)}); err != nil {
		t.Fatal(err)
	}
	callee := g.homeWith(ctx, s, fmt.Sprintf("endpoints = [%q]\n", at))
	caller := g.pair(ctx, nat.Symmetric)[0]
	r, err := reach.Meet(ctx, caller, callee, 15*time.Second)
	if err != nil || !r.Is(reach.Direct) {
		t.Fatalf("%v, the caller %s %q, the callee %s %q: %v", r, r.Caller.Carrier, r.Caller.WhyNotDirect, r.Callee.Carrier, r.Callee.WhyNotDirect, err)
	}
	if r.Caller.Endpoint != at.String() {
		t.Errorf("reached at %s, not at %v", r.Caller.Endpoint, at)
	}
	var said control.Netcheck
	if said, err = callee.Client().Netcheck(ctx); err != nil || len(said.Candidates) == 0 || said.Candidates[0] != (control.Candidate{Endpoint: at.String(), Kind: "configured"}) {
		t.Errorf("netcheck says %+v: %v", said.Candidates, err)
	}
}
