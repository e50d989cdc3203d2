package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

const (
	stirTime = 7 * time.Second         // of a flow in the middle of which something happens
	hubTime  = 1500 * time.Millisecond // of watching two homes that have only the hub, before that
)

// A Stir is a flow between two homes, in the middle of which something happened.
type Stir struct {
	What  string  `json:"what"`
	GapMS float64 `json:"gap_ms"`
	Lost  int     `json:"lost"`
	Twice int     `json:"twice"`
	TCP   bool    `json:"tcp"` // a connection beside it lives
}

// Stirs are some, in no order.
type Stirs []Stir

// A stirring is what happens to two homes that send.
type stirring struct {
	what   string
	pair   couple
	do     func(ctx context.Context, g *ground, a, b *reach.Home) error
	undone func(a, b *reach.Home) error
}

func stirs() []stirring {
	homes, far := couple{caller: nat.Home, callee: nat.Home}, couple{caller: nat.Symmetric, callee: nat.Symmetric}
	back := func(a, b *reach.Home) error { return a.Site.Move(nat.Home) }
	return []stirring{
		{"the caller's NAT forgets everything", homes, func(_ context.Context, _ *ground, a, b *reach.Home) error { return forgets(a) }, nil},
		{"both NATs forget everything", homes, func(_ context.Context, _ *ground, a, b *reach.Home) error { return forgets(a, b) }, nil},
		{"the caller moves to another home", homes, func(_ context.Context, _ *ground, a, b *reach.Home) error { return back(a, b) }, back},
		{"the caller moves behind a symmetric NAT", homes, func(_ context.Context, _ *ground, a, b *reach.Home) error { return a.Site.Move(nat.Symmetric) }, back},
		{"only the circuit: the hub restarts", far, func(ctx context.Context, g *ground, a, b *reach.Home) error { return g.hub.Restart(ctx, false) }, nil},
		{"only the circuit: the hub is killed and starts again", far, func(ctx context.Context, g *ground, a, b *reach.Home) error { return g.hub.Restart(ctx, true) }, nil},
	}
}

// flowCells are all things that happen, in turn, as often as there are trials.
func flowCells(r *reachRun) (all []cell) {
	for range r.o.Trials {
		for _, s := range stirs() {
			all = append(all, cell{do: func(ctx context.Context, g *ground) {
				o, err := g.disturb(ctx, s)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					err = fmt.Errorf("%s: %w", s.what, err)
				}
				r.note(func() {
					if err == nil {
						r.res.Flows = append(r.res.Flows, Stir{s.what, msOf(o.Gap), o.Lost, o.Twice, o.TCP})
					}
				}, err, "%-60s %v without a packet, %d lost, TCP lives: %v", s.what, o.Gap.Round(time.Millisecond), o.Lost, o.TCP)
			}})
		}
	}
	return all
}

// disturb lets a pair meet and disturbs its flow.
func (g *ground) disturb(ctx context.Context, s stirring) (o reach.Outage, err error) {
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	a, b, done, err := g.pair(ctx, s.pair)
	defer done()
	if err != nil {
		return o, err
	}
	e, wait := s.pair.expected(), directTime
	if e == reach.Circuit {
		wait = hubTime
	}
	if r, err := reach.Meet(ctx, a, b, wait); err != nil || !r.Is(e) {
		return o, errors.Join(fmt.Errorf("the two did not meet: %v", r), err)
	}
	o, err = reach.Disturb(ctx, a, b, func() error { return s.do(ctx, g, a, b) }, stirTime)
	if s.undone != nil {
		err = errors.Join(err, s.undone(a, b))
	}
	return o, err
}

// of are those of one thing.
func (ss Stirs) of(what string) (all Stirs) {
	for _, s := range ss {
		if s.What == what {
			all = append(all, s)
		}
	}
	return all
}

func (ss Stirs) gaps() (v []float64) {
	for _, s := range ss {
		v = append(v, s.GapMS)
	}
	return v
}

// table is the section on what happens to flows.
func (ss Stirs) table(b *strings.Builder) {
	if len(ss) == 0 {
		return
	}
	b.WriteString(`
## What happens to a flow

A packet every 5 ms, and beside it a TCP connection on which a byte is written every 20 ms: it lives if all of them arrive.
The gap is the longest time in which nothing new arrives; a restart of the hub is part of it.

| | trials | gap, median | worst | lost, median | twice | TCP lives |
| --- | --- | --- | --- | --- | --- | --- |
`)
	for _, s := range stirs() {
		all := ss.of(s.what)
		if len(all) == 0 {
			continue
		}
		var lost []float64
		twice, lives := 0, 0
		for _, x := range all {
			if lost, twice = append(lost, float64(x.Lost)), twice+x.Twice; x.TCP {
				lives++
			}
		}
		gaps := spreadOf(all.gaps())
		fmt.Fprintf(b, "| %s | %d | %s | %s | %.0f | %d | %d |\n", s.what, len(all), shownMS(gaps.median), shownMS(gaps.max), spreadOf(lost).median, twice, lives)
	}
}

// promises are those about flows.
func (ss Stirs) promises() (all []promise) {
	dead := 0
	for _, s := range stirs() {
		gaps := ss.of(s.what).gaps()
		all = append(all, within(s.what+": without traffic, median", 3000, 1000, spreadOf(gaps).median, len(gaps)))
	}
	for _, s := range ss {
		if !s.TCP {
			dead++
		}
	}
	return append(all, noneOf("TCP connections that did not live through it", dead, len(ss)))
}
