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

// Families are what of IP a home has.
type families int

const (
	dual  families = iota // IPv4 behind a home NAT, IPv6 behind a firewall
	only4                 // the first of these
	only6                 // the second
)

func (s families) String() string { return [...]string{"dual-stack", "IPv4-only", "IPv6-only"}[s] }

// strip takes the family away from a home's site that it does not have.
func (s families) strip(ctx context.Context, x *nat.Site) error {
	family := map[families]string{only4: "-6", only6: "-4"}[s]
	if family == "" {
		return nil
	}
	_, err := x.Run(ctx, "ip", family, "addr", "flush", "dev", x.Cable.A.Dev)
	return err
}

// sided makes a site of some families.
func (g *gathering) sided(ctx context.Context, s families) *nat.Site {
	g.Helper()
	x, err := g.net.Site(fmt.Sprintf("s%d", g.n), nat.Home)
	if err == nil {
		err = s.strip(ctx, x)
	}
	if err != nil {
		g.Fatalf("a site that is %v: %v", s, err)
	}
	return x
}

// hubBy waits until a home and the hub send to each other by a family.
func (g *gathering) hubBy(ctx context.Context, x *reach.Home, v6 bool) {
	g.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	in := func(p control.Peer) bool {
		at, err := netip.ParseAddrPort(p.Endpoint)
		return err == nil && at.Addr().Unmap().Is6() == v6 && p.State == "established"
	}
	p, err := x.WaitPeer(ctx, g.hub.DID, in)
	if err == nil {
		p, err = g.hub.WaitPeer(ctx, x.DID, in)
	}
	if err != nil {
		g.Fatalf("the home and the hub do not use the family (IPv6: %v) but %s: %v", v6, p.Endpoint, err)
	}
}

// become lets two homes meet, and checks what comes of it.
func (g *gathering) become(ctx context.Context, a, b *reach.Home, want reach.Expected, of string) {
	g.Helper()
	within := map[reach.Expected]time.Duration{reach.Direct: 20 * time.Second, reach.Circuit: 5 * time.Second}[want]
	r, err := reach.Meet(ctx, a, b, within)
	if err != nil || !r.Is(want) {
		g.Errorf("%s: %v instead of %v; the caller %s %q, the callee %s %q: %v", of, r, want,
			r.Caller.Carrier, r.Caller.WhyNotDirect, r.Callee.Carrier, r.Callee.WhyNotDirect, err)
		return
	}
	g.Logf("%s: %v", of, r)
}

// TestHomesMeetInTheFamilyThatTheyShare: homes of each family and of both, whose paths to
// a hub of both are of whichever family each prefers, are direct if they share one.
func TestHomesMeetInTheFamilyThatTheyShare(t *testing.T) {
	beside(t)
	g := gather(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay})
	all := shorter([]families{dual, only4}, []families{dual, only4, only6})
	for _, a := range all {
		for _, b := range all {
			if inShort() && a == b {
				continue // as in TestHomesMeetThroughAHub
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			x, y := g.home(ctx, g.sided(ctx, a)), g.home(ctx, g.sided(ctx, b))
			g.hubBy(ctx, x, a != only4)
			g.hubBy(ctx, y, b != only4)
			want := reach.Direct
			if a != b && a != dual && b != dual {
				want = reach.Circuit
			}
			g.become(ctx, x, y, want, fmt.Sprintf("%v meets %v", a, b))
			g.hubBy(ctx, x, a != only4) // nobody has moved for a question in the other family
			g.hubBy(ctx, y, b != only4)
			reach.End(x.Node)
			reach.End(y.Node)
			cancel()
		}
	}
}

// TestHomeThatLosesIPv6MeetsByIPv4: a home whose path to the hub was IPv6 has IPv4 alone from
// then on, and meets a home without IPv6.
func TestHomeThatLosesIPv6MeetsByIPv4(t *testing.T) {
	beside(t)
	g := gather(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	site := g.sided(ctx, dual)
	x, y := g.home(ctx, site), g.home(ctx, g.sided(ctx, only4))
	g.hubBy(ctx, x, true)
	if err := only4.strip(ctx, site); err != nil {
		t.Fatal(err)
	}
	g.hubBy(ctx, x, false)
	g.become(ctx, x, y, reach.Direct, "the home that lost IPv6 meets one without")
}

// TestHubOfOneFamily: a home of both families learns what a hub of one can tell it, and
// meets who shares that family.
func TestHubOfOneFamily(t *testing.T) {
	beside(t)
	for _, hub := range []families{only4, only6} {
		t.Run(hub.String(), func(t *testing.T) {
			t.Parallel()
			g := gather(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			family := map[families]string{only4: "-6", only6: "-4"}[hub]
			if _, err := g.net.Hub.Run(ctx, "ip", family, "addr", "flush", "dev", g.net.Hub.Cable.A.Dev); err != nil {
				t.Fatal(err)
			}
			x, y := g.home(ctx, g.sided(ctx, dual)), g.home(ctx, g.sided(ctx, hub))
			g.hubBy(ctx, x, hub == only6)
			g.become(ctx, x, y, reach.Direct, fmt.Sprintf("dual-stack meets %v at a hub that is %v", hub, hub))
		})
	}
}
