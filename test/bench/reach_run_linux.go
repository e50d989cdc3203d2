package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

const (
	directTime  = 15 * time.Second // for two homes to reach each other directly, where they can
	circuitTime = 4 * time.Second  // of watching that they do not, where they cannot
	stirTime    = 8 * time.Second  // of a flow in the middle of which something happens
	pairTime    = 3 * time.Minute  // for one trial, whatever happens
)

// A ground is an Internet with a hub, on which homes meet, one pair at a time.
type ground struct {
	net   *nat.Net
	hub   *reach.Hub
	homes map[string]*reach.Home // by kind and side
}

// Reach measures and writes reach.md and reach.svg. Progress goes to said. It needs root,
// or the root of a user namespace with the network namespace.
func Reach(ctx context.Context, o ReachOptions, said io.Writer) (err error) {
	if err := o.Check(); err != nil {
		return err
	}
	r := ReachResult{Machine: describe(Options{Programs: o.Programs, Commit: o.Commit}), DelayMS: msOf(o.Delay), Seconds: o.Time.Seconds(), Nebula: versionOf(o.Programs, "nebula")}
	if slices.Contains(o.Parts, partThrough) {
		r.through(ctx, o, said)
	}
	if slices.Contains(o.Parts, partHomes) && ctx.Err() == nil {
		r.manyHomes(ctx, said)
	}
	for _, v6 := range []bool{false, true} {
		if !slices.Contains(o.Parts, partMeetings) {
			break
		}
		if err := r.on(ctx, o, v6, said); err != nil {
			return err
		}
	}
	if o.JSON != "" {
		err = writeJSON(o.JSON, r)
	}
	return errors.Join(err, r.report(ctx, o))
}

// on takes all figures of one family on a ground of its own.
func (r *ReachResult) on(ctx context.Context, o ReachOptions, v6 bool, said io.Writer) (err error) {
	g, err := lay(ctx, o, v6)
	if g != nil {
		defer func() { err = errors.Join(err, g.close()) }()
	}
	if err != nil {
		return err
	}
	take := func(c couple, matrix bool) {
		if ctx.Err() != nil || c.v6 != v6 {
			return
		}
		res, err := g.meet(ctx, c)
		t := trialOf(c, matrix, res, err)
		r.Trials = append(r.Trials, t)
		fmt.Fprintf(said, "%-32s %v %s %s %s\n", c, res, t.Carrier, t.Why, t.Failed)
		if err != nil {
			r.Missing = append(r.Missing, fmt.Sprintf("%v: %v", c, err))
		}
	}
	for _, c := range o.couples() {
		take(c, true)
	}
	for _, p := range o.Pairs {
		c, _ := parsePair(p)
		for range o.Trials {
			take(c, false)
		}
	}
	if !v6 && ctx.Err() == nil {
		r.stir(ctx, g, o.Stirs, said)
	}
	return ctx.Err()
}

// lay makes the ground and starts the hub.
func lay(ctx context.Context, o ReachOptions, v6 bool) (*ground, error) {
	n, err := nat.Lay("reach", nat.Shape{A: nat.None, B: nat.None, Delay: o.Delay, IPv4Only: !v6})
	if err != nil {
		return nil, fmt.Errorf("bench: lay the network: %w", err)
	}
	g := &ground{net: n, homes: make(map[string]*reach.Home)}
	g.hub, err = reach.NewHub(ctx, n.Internet, reach.Options{Program: filepath.Join(o.Programs, "l2tun"), Dir: n.Dir(), Tag: "l2reach-"})
	return g, err
}

func (g *ground) close() error {
	for _, x := range g.homes {
		reach.End(x.Node)
	}
	if g.hub != nil {
		reach.End(g.hub.Node)
	}
	return g.net.Close()
}

// home is the home of a kind on a side, up and with a session with the hub. Its NATs
// remember nothing.
func (g *ground) home(ctx context.Context, side string, k nat.Kind) (*reach.Home, error) {
	x := g.homes[side+k.String()]
	if x == nil {
		name := fmt.Sprintf("%s%d", side, k)
		s, err := g.net.Site(name, k)
		if err != nil {
			return nil, err
		}
		if x, err = g.hub.Home(ctx, s, name); err != nil {
			return nil, err
		}
		g.homes[side+k.String()] = x
	}
	for r := x.Site.Router; r != nil; r = r.Carrier {
		if err := r.Restart(); err != nil {
			return nil, err
		}
	}
	return x, x.Up(ctx)
}

// pair are the two homes of a couple, up. done stops them.
func (g *ground) pair(ctx context.Context, c couple) (a, b *reach.Home, done func(), err error) {
	a, err = g.home(ctx, "a", c.caller)
	if err == nil {
		b, err = g.home(ctx, "b", c.callee)
	}
	return a, b, func() {
		for _, x := range []*reach.Home{a, b} {
			if x != nil {
				reach.End(x.Node)
			}
		}
		if a != nil && b != nil { // an error says that one was never told of the other
			_ = errors.Join(a.Forgets(context.WithoutCancel(ctx), b), b.Forgets(context.WithoutCancel(ctx), a))
		}
	}, err
}

// meet lets a couple meet once.
func (g *ground) meet(ctx context.Context, c couple) (reach.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	a, b, done, err := g.pair(ctx, c)
	defer done()
	if err != nil {
		return reach.Result{}, err
	}
	return reach.Meet(ctx, a, b, map[reach.Expected]time.Duration{reach.Direct: directTime, reach.Circuit: circuitTime}[c.expected()])
}

// stir disturbs flows of two homes that have met.
func (r *ReachResult) stir(ctx context.Context, g *ground, trials int, said io.Writer) {
	for _, s := range stirs() {
		for range trials {
			o, err := g.disturb(ctx, s)
			if err != nil {
				r.Missing = append(r.Missing, fmt.Sprintf("%s: %v", s.what, err))
				continue
			}
			r.Stirs = append(r.Stirs, Stir{s.what, msOf(o.Gap), o.Lost, o.Twice})
			fmt.Fprintf(said, "%-60s %v without a packet, %d lost\n", s.what, o.Gap.Round(time.Millisecond), o.Lost)
		}
	}
}

// A stirring is what happens to two homes that send directly.
type stirring struct {
	what   string
	pair   couple
	do     func(a, b *reach.Home) error
	undone func(a, b *reach.Home) error
}

func stirs() []stirring {
	homes := couple{caller: nat.Home, callee: nat.Home}
	back := func(a, b *reach.Home) error { return a.Site.Move(nat.Home) }
	return []stirring{
		{"the caller's NAT forgets everything", homes, func(a, b *reach.Home) error { return a.Site.Router.Restart() }, nil},
		{"both NATs forget everything", homes, func(a, b *reach.Home) error {
			return errors.Join(a.Site.Router.Restart(), b.Site.Router.Restart())
		}, nil},
		{"the caller moves to another home", homes, back, back},
		{"the caller moves behind a symmetric NAT", homes, func(a, b *reach.Home) error { return a.Site.Move(nat.Symmetric) }, back},
	}
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
	if r, err := reach.Meet(ctx, a, b, directTime); err != nil || r.Direct == 0 {
		return o, errors.Join(fmt.Errorf("the two did not meet: %v", r), err)
	}
	o, err = reach.Disturb(ctx, a, b, func() error { return s.do(a, b) }, stirTime)
	if s.undone != nil {
		err = errors.Join(err, s.undone(a, b))
	}
	return o, err
}

// report writes the text and the plot, and says what was promised and is not so.
func (r *ReachResult) report(ctx context.Context, o ReachOptions) error {
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	text := r.markdown(o)
	fmt.Print("\n", text)
	err := os.WriteFile(filepath.Join(o.Out, "reach.md"), []byte(text), 0o644)
	if len(r.Trials) > 0 {
		err = errors.Join(err, draw(ctx, o.Programs, r.chart(o), filepath.Join(o.Out, "reach.svg")))
	}
	if err == nil && len(r.Missing) > 0 {
		return ErrIncomplete
	}
	return errors.Join(err, r.judged(o))
}
