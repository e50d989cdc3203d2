package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

// reachDelay is each way between a home and the hub, as in what is promised.
const reachDelay = 20 * time.Millisecond

// A gathering is an Internet with a hub whose node is up.
type gathering struct {
	*testing.T
	net *nat.Net
	hub *reach.Hub
	n   int
}

// gather lays it; it ends with the test.
func gather(t *testing.T, s nat.Shape) *gathering {
	t.Helper()
	return gatherWith(t, s, "")
}

// gatherWith is gather, with top-level keys for the homes.
func gatherWith(t *testing.T, s nat.Shape, keys string) *gathering {
	t.Helper()
	lab.Require(t, lab.TUN, "nft")
	needRuntimeDir(t)
	g := &gathering{T: t, net: nat.Use(t, s, lab.TUN)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	g.hub, err = reach.NewHub(ctx, g.net.Internet, reach.Options{Program: l2tunBinary(), Dir: g.net.Dir(),
		Tag: fmt.Sprintf("l2%05x", rand.N(1<<20)), Flags: []string{"--log-level", "debug"}, Config: keys})
	if g.hub != nil {
		t.Cleanup(func() { reach.End(g.hub.Node) })
	}
	if err != nil {
		t.Fatalf("hub: %v", err)
	}
	return g
}

// home makes a home on a site and brings it up.
func (g *gathering) home(ctx context.Context, s *nat.Site) *reach.Home {
	g.Helper()
	return g.homeWith(ctx, s, "")
}

// homeWith is home, with top-level keys of its own.
func (g *gathering) homeWith(ctx context.Context, s *nat.Site, keys string) *reach.Home {
	g.Helper()
	g.n++
	x, err := g.hub.Home(ctx, s, fmt.Sprintf("h%d", g.n))
	if err == nil {
		err = x.Prepend(keys)
	}
	if err == nil {
		err = x.Up(ctx)
	}
	if x != nil {
		g.Cleanup(func() { reach.End(x.Node) })
	}
	if err != nil {
		g.Fatalf("home %d, %v: %v", g.n, s.Kind, err)
	}
	return x
}

// pair makes two homes on new sites and brings them up.
func (g *gathering) pair(ctx context.Context, kinds ...nat.Kind) (homes []*reach.Home) {
	g.Helper()
	for _, k := range kinds {
		s, err := g.net.Site(fmt.Sprintf("s%d", g.n), k)
		if err != nil {
			g.Fatal(err)
		}
		homes = append(homes, g.home(ctx, s))
	}
	return homes
}

// meet lets two new homes of two kinds meet, and checks what comes of it.
func (g *gathering) meet(a, b nat.Kind, want reach.Expected) reach.Result {
	g.Helper()
	ctx, cancel := context.WithTimeout(g.Context(), 2*time.Minute)
	defer cancel()
	homes := g.pair(ctx, a, b)
	within := map[reach.Expected]time.Duration{reach.Direct: 20 * time.Second, reach.Circuit: 5 * time.Second}[want]
	r, err := reach.Meet(ctx, homes[0], homes[1], within)
	for _, x := range homes {
		reach.End(x.Node)
	}
	if err != nil || !r.Is(want) {
		g.Errorf("%v meets %v: %v instead of %v; the caller %s %q through %q, the callee %s %q: %v", a, b, r, want,
			r.Caller.Carrier, r.Caller.WhyNotDirect, r.Caller.Through, r.Callee.Carrier, r.Callee.WhyNotDirect, err)
		return r
	}
	if want == reach.Circuit && (r.Caller.Through != g.hub.DID || r.Caller.WhyNotDirect == "") {
		g.Errorf("%v meets %v: through %q, why %q", a, b, r.Caller.Through, r.Caller.WhyNotDirect)
	}
	if want == reach.Direct && (r.Caller.Through != "" || r.Caller.WhyNotDirect != "") {
		g.Errorf("%v meets %v: direct, and through %q because of %q", a, b, r.Caller.Through, r.Caller.WhyNotDirect)
	}
	if r.Twice > 0 {
		g.Errorf("%v meets %v: %d packets came twice", a, b, r.Twice)
	}
	g.Logf("%v meets %v: %v", a, b, r)
	return r
}

// TestHomesMeetThroughAHub: two homes that know nothing of each other but the DID, and
// share a hub, have a session at once and go on directly where their NATs permit it. The
// long form has every kind with every other, in both orders, each kind of caller in a
// network of its own.
func TestHomesMeetThroughAHub(t *testing.T) {
	beside(t)
	for _, row := range either([][][2]nat.Kind{{{nat.Home, nat.Home}, {nat.Careless, nat.Home}, {nat.Home, nat.Careless}, {nat.None, nat.Symmetric},
		{nat.Symmetric, nat.Home}, {nat.NoUDP, nat.Home}}}, everyRow()) {
		t.Run(row[0][0].String(), func(t *testing.T) {
			t.Parallel()
			g := gather(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay, IPv4Only: true})
			for _, c := range row {
				g.meet(c[0], c[1], reach.Expect(c[0], c[1], false))
			}
		})
	}
}

// everyRow are all kinds with all kinds, a row for each caller. Two homes below one
// carrier need the carrier to be the same: sites of a kind that shares it do.
func everyRow() (all [][][2]nat.Kind) {
	for _, a := range nat.Kinds() {
		var row [][2]nat.Kind
		for _, b := range nat.Kinds() {
			row = append(row, [2]nat.Kind{a, b})
		}
		all = append(all, row)
	}
	return all
}

// TestHomesMeetOverIPv6: firewalls at both ends open for each other; no address is
// translated.
func TestHomesMeetOverIPv6(t *testing.T) {
	beside(t)
	g := gather(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay})
	for _, c := range either([][2]nat.Kind{{nat.Symmetric, nat.Symmetric}, {nat.NoUDP, nat.Firewall}},
		[][2]nat.Kind{{nat.Symmetric, nat.Symmetric}, {nat.DoubleSymmetric, nat.Careless}, {nat.Firewall, nat.Firewall}, {nat.None, nat.Firewall},
			{nat.Firewall, nat.None}, {nat.NoUDP, nat.Firewall}, {nat.Firewall, nat.NoUDP}}) {
		g.meet(c[0], c[1], reach.Expect(c[0], c[1], true))
	}
}
