package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

// sprayed lays a net whose homes have spray on.
func sprayed(t *testing.T) *gathering {
	return gatherWith(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay, IPv4Only: true}, "spray = true\n")
}

const sprayWithin = 4 * time.Second // promised, in 96 of 100

// TestASprayMakesSymmetricDirect: a home whose NAT gives each remote another port and
// one whose NAT filters by port are direct within 4 s of the moment at which the caller
// knows the callee, in 96 of 100 and more. By chance 1.6 of 100 fail (ADR-046), so the
// long form goes on until it is clear which of the two shares it is: with 1.6 it passes in
// 999 of 1,000, with 4 in 5 of 100, after some 300 meetings. The short form shows that a
// spray hits, of each pair the first or the second.
func TestASprayMakesSymmetricDirect(t *testing.T) {
	beside(t)
	pairs := either([][2]nat.Kind{{nat.Symmetric, nat.Home}, {nat.Careless, nat.Symmetric}},
		[][2]nat.Kind{{nat.Symmetric, nat.Home}, {nat.Home, nat.Symmetric}, {nat.Symmetric, nat.Careless}, {nat.Careless, nat.Symmetric}})
	short, shared := either(true, false), &sprayTrial{trial: reach.SprayTrial()}
	for lane := range either(1, 2) * len(pairs) {
		c := pairs[lane%len(pairs)]
		t.Run(fmt.Sprintf("%v-%v", c[0], c[1]), func(t *testing.T) {
			t.Parallel()
			g := sprayed(t)
			ctx := t.Context()
			homes := g.pair(ctx, c[0], c[1])
			for n := 1; ; n++ {
				r, err := reach.Meet(ctx, homes[0], homes[1], sprayWithin+500*time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				late := r.Direct == 0 || r.Direct > sprayWithin
				if late {
					t.Logf("%v; %s and %s", r, r.Caller.WhyNotDirect, r.Callee.WhyNotDirect)
				}
				verdict, of := shared.add(late)
				switch {
				case short && !late:
					return
				case short && n == 2:
					t.Fatal("neither of two is direct within 4 s")
				case short || verdict == reach.Open:
					g.anew(ctx, homes)
				case verdict == reach.Refuted:
					t.Fatalf("%d of %d are not direct within 4 s", of.Failed, of.N)
				default:
					t.Logf("%d of %d are direct within 4 s", of.N-of.Failed, of.N)
					return
				}
			}
		})
	}
}

// A sprayTrial is one that several lanes add to.
type sprayTrial struct {
	mu    sync.Mutex
	trial *reach.Trial
}

func (s *sprayTrial) add(late bool) (reach.Verdict, reach.Trial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trial.Verdict() == reach.Open { // else it was decided by others
		s.trial.Add(late)
	}
	return s.trial.Verdict(), *s.trial
}

// anew lets two homes and their NATs forget each other and everything else.
func (g *gathering) anew(ctx context.Context, homes []*reach.Home) {
	g.Helper()
	for i, x := range homes {
		reach.End(x.Node)
		if err := errors.Join(x.Forgets(ctx, homes[1-i]), x.Site.Router.Restart()); err != nil {
			g.Fatal(err)
		}
	}
	for _, x := range homes {
		if err := x.Up(ctx); err != nil {
			g.Fatal(err)
		}
	}
}

// tryMeet lets two new homes meet, whatever comes of it.
func (g *gathering) tryMeet(a, b nat.Kind, within time.Duration) reach.Result {
	g.Helper()
	ctx, cancel := context.WithTimeout(g.Context(), 2*time.Minute)
	defer cancel()
	homes := g.pair(ctx, a, b)
	r, err := reach.Meet(ctx, homes[0], homes[1], within)
	for _, x := range homes {
		reach.End(x.Node)
	}
	if err != nil {
		g.Fatal(err)
	}
	return r
}

// TestFifteenOfSixteenWithASpray: of none, cone, home and symmetric each meets each, but
// for symmetric and symmetric. A spray that has failed by chance is tried once more.
func TestFifteenOfSixteenWithASpray(t *testing.T) {
	beside(t)
	kinds := either([]nat.Kind{nat.Symmetric}, []nat.Kind{nat.None, nat.Cone, nat.Home, nat.Symmetric})
	for _, a := range kinds {
		t.Run(a.String(), func(t *testing.T) {
			t.Parallel()
			g := sprayed(t)
			for _, b := range either([]nat.Kind{nat.Symmetric}, []nat.Kind{nat.None, nat.Cone, nat.Home, nat.Symmetric}) {
				want := reach.ExpectSpray(a, b)
				r := g.tryMeet(a, b, 8*time.Second)
				if !r.Is(want) && reach.Expect(a, b, false) != want {
					r = g.tryMeet(a, b, 8*time.Second)
				}
				if !r.Is(want) || r.Twice > 0 {
					t.Errorf("%v meets %v: %v instead of %v; %q and %q", a, b, r, want, r.Caller.WhyNotDirect, r.Callee.WhyNotDirect)
				}
			}
		})
	}
}

// TestNothingIsSprayedWhereItIsOff: not at both ends, and not where one has it on. An
// ordinary meeting has fewer knocks than a tenth of a second of a spray.
func TestNothingIsSprayedWhereItIsOff(t *testing.T) {
	beside(t)
	const on = "spray = true\n"
	for name, keys := range map[string][2]string{"off": {}, "on at the caller": {on, ""}, "on at the callee": {"", on}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gather(t, nat.Shape{A: nat.None, B: nat.None, Delay: reachDelay, IPv4Only: true})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var homes []*reach.Home
			for i, k := range []nat.Kind{nat.Symmetric, nat.Home} {
				s, err := g.net.Site(fmt.Sprintf("s%d", i), k)
				if err != nil {
					t.Fatal(err)
				}
				homes = append(homes, g.homeWith(ctx, s, keys[i]))
			}
			r, err := reach.Meet(ctx, homes[0], homes[1], 7*time.Second)
			if err != nil || !r.Is(reach.Circuit) {
				t.Errorf("%v: %v", r, err)
			}
			for i, x := range homes {
				st, err := x.Client().Status(ctx)
				if err != nil || st.Spray != (keys[i] != "") {
					t.Errorf("status says spray %v: %v", st.Spray, err)
				}
				if n := sentToOpen(t, ctx, x); n > 100 {
					t.Errorf("%d openers and knocks have left", n)
				}
			}
		})
	}
}

// sentToOpen is how many openers and knocks have left a home.
func sentToOpen(t *testing.T, ctx context.Context, x *reach.Home) (n int) {
	t.Helper()
	out, err := x.Run(ctx, "metrics", "--socket", x.Socket)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range regexp.MustCompile(`(?m)event="(?:opener|knock)".* (\d+)$`).FindAllSubmatch(out, -1) {
		some, _ := strconv.Atoi(string(m[1]))
		n += some
		found++
	}
	if found != 2 {
		t.Fatalf("no counters in\n%s", out)
	}
	return n
}

// TestASprayedPathStays: the session goes on by the port that was hit, and nothing but
// probes goes through the hub.
func TestASprayedPathStays(t *testing.T) {
	beside(t)
	g := sprayed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	homes := g.pair(ctx, nat.Symmetric, nat.Home)
	for range 2 { // one in fifty fails by chance
		if r, err := reach.Meet(ctx, homes[0], homes[1], 8*time.Second); err != nil {
			t.Fatal(err)
		} else if r.Is(reach.Direct) {
			break
		}
		homes = g.pair(ctx, nat.Symmetric, nat.Home)
	}
	before := g.relayed(ctx, t)
	for now := before; ; before = now { // the connection through the circuit ends
		time.Sleep(3 * time.Second)
		if now = g.relayed(ctx, t); now-before < 1000 {
			break
		}
	}
	o, err := reach.Disturb(ctx, homes[0], homes[1], func() error { return nil }, either(8*time.Second, 60*time.Second))
	if err != nil || o.Gap > 2*time.Second || o.Twice > 0 {
		t.Errorf("%+v: %v", o, err)
	}
	for i, x := range homes {
		p, err := x.Peer(ctx, homes[1-i].DID)
		if err != nil || p.Carrier != "direct" || p.Through != "" {
			t.Errorf("%d: %s through %q: %v", i, p.Carrier, p.Through, err)
		}
	}
	if bytes := g.relayed(ctx, t) - before; bytes > 20_000 {
		t.Errorf("%d bytes have gone through the hub", bytes)
	}
}

// relayed is how many bytes the hub has had to forward.
func (g *gathering) relayed(ctx context.Context, t *testing.T) uint64 {
	t.Helper()
	s, err := g.hub.Client().Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s.Relaying.RxBytes
}
