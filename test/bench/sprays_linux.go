package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

const (
	sprayWithin = 4 * time.Second // promised
	sprayTime   = 8 * time.Second // of watching, where a pair is counted and not timed
	sprayShare  = 96              // of 100 within the time
)

// sprayOn is what homes have in their configs.
var sprayOn = terrain{keys: "spray = true\n"}

// Sprays are the meetings of homes that have the spray on.
type Sprays struct {
	Sixteen Trials `json:"sixteen"` // each kind of counting with each
	Timed   Trials `json:"timed"`
}

// sprayPairs are those that are direct by it alone.
func sprayPairs() []couple {
	return []couple{{nat.Symmetric, nat.Home, false}, {nat.Home, nat.Symmetric, false}, {nat.Symmetric, nat.Careless, false}, {nat.Careless, nat.Symmetric, false}}
}

// sprayCells are the 16 pairs, and those that are timed.
func sprayCells(r *reachRun) (all []cell) {
	for _, c := range couples(counting(), false) {
		all = append(all, cell{on: sprayOn, long: true, do: func(ctx context.Context, g *ground) { sprayedOrTwice(ctx, r, g, c) }})
	}
	for range r.o.Sprays {
		for _, c := range sprayPairs() {
			all = append(all, cell{on: sprayOn, do: func(ctx context.Context, g *ground) { spraying(ctx, r, g, c, sprayWithin, &r.res.Sprayed.Timed) }})
		}
	}
	return all
}

// sprayedOrTwice lets a couple of the 16 meet, once more if chance was against it.
func sprayedOrTwice(ctx context.Context, r *reachRun, g *ground, c couple) {
	if t := spraying(ctx, r, g, c, sprayTime, &r.res.Sprayed.Sixteen); !t.is(reach.ExpectSpray(c.caller, c.callee)) && ctx.Err() == nil {
		spraying(ctx, r, g, c, sprayTime, &r.res.Sprayed.Sixteen)
	}
}

// spraying lets a couple meet and notes what comes of it.
func spraying(ctx context.Context, r *reachRun, g *ground, c couple, within time.Duration, to *Trials) (t Trial) {
	res, err := g.sprayed(ctx, c, within)
	if ctx.Err() != nil {
		return t
	}
	t = trialOf(c.String(), res, err)
	r.note(func() { *to = append(*to, t) }, err, "with the spray %-32s %v %s %s", c, res, t.Carrier, t.Why)
	return t
}

func (g *ground) sprayed(ctx context.Context, c couple, within time.Duration) (reach.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	a, b, done, err := g.pair(ctx, c)
	defer done()
	if err != nil {
		return reach.Result{}, err
	}
	return reach.Meet(ctx, a, b, within)
}

// inTime counts the trials that were direct within what is promised.
func inTime(ts Trials) (n int) {
	for _, t := range ts {
		if t.DirectMS > 0 && t.DirectMS <= msOf(sprayWithin) {
			n++
		}
	}
	return n
}

// table is the section on the spray.
func (s *Sprays) table(b *strings.Builder) {
	if len(s.Sixteen)+len(s.Timed) == 0 {
		return
	}
	b.WriteString(`
## With the spray

Both homes have ` + "`spray = true`" + `, IPv4 only. A spray misses by chance in 1.6 of 100 ([ADR-046](adr/046-spray.md)). A pair of the
first table is tried once more if it did not end as its NATs permit; the second has one trial each.
`)
	s.Sixteen.matrix(b, counting(), func(c couple) reach.Expected { return reach.ExpectSpray(c.caller, c.callee) }, false)
	if len(s.Timed) == 0 {
		return
	}
	b.WriteString("\n" + rowHead("caller : callee"))
	for _, c := range sprayPairs() {
		if all := s.Timed.of(c.String()); len(all) > 0 {
			fmt.Fprintf(b, "| %s | %s |\n", c, all.row())
		}
	}
	n := inTime(s.Timed)
	least, most := reach.Between(n, len(s.Timed))
	fmt.Fprintf(b, "\nDirect within %v: %d of %d; the share lies between %.1f and %.1f of 100 (Wilson's interval, 95 %%).\n", sprayWithin, n, len(s.Timed), 100*least, 100*most)
}

// promises are those about the spray.
func (s *Sprays) promises() []promise {
	share := promise{what: "symmetric with home or careless, with the spray: direct within 4 s", goal: fmt.Sprintf("at least %d of 100", sprayShare),
		limit: sprayShare, aim: sprayShare, measured: len(s.Timed) > 0, unit: fmt.Sprintf("%% of %d", len(s.Timed)), least: true, digits: 1}
	if share.measured {
		share.is = 100 * float64(inTime(s.Timed)) / float64(len(s.Timed))
	}
	return []promise{s.Sixteen.sixteen("none, cone, home, symmetric, each with each over IPv4, with the spray: direct", sprayedPairs), share}
}
