package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

const (
	directTime  = 15 * time.Second // for two homes to reach each other directly, where they can
	circuitTime = 3 * time.Second  // of watching that they do not, where they cannot
	pairTime    = 3 * time.Minute  // for one trial, whatever happens
)

// A terrain is what a cell needs of the network.
type terrain struct {
	v6   bool
	near bool   // half of the delay, so that two ends are as far from each other as else from the hub
	keys string // top-level, in the configs of homes
}

// A cell is one thing to measure, most of which is waiting.
type cell struct {
	on   terrain
	long bool // begins first
	do   func(ctx context.Context, g *ground)
}

// sideBySide runs cells, some at once. Each lane has a network of
// its own, which the next cell uses on if it needs the same. A lane without a network
// ends, and the others go on.
func (r *reachRun) sideBySide(ctx context.Context, lanes int, cells []cell) error {
	var errs []error
	slices.SortStableFunc(cells, func(a, b cell) int {
		if a.long == b.long {
			return 0
		}
		return map[bool]int{true: -1, false: 1}[a.long]
	})
	next := make(chan cell, len(cells))
	for _, c := range cells {
		next <- c
	}
	close(next)
	var all sync.WaitGroup
	for range min(lanes, len(cells)) {
		all.Go(func() {
			if err := r.lane(ctx, next); err != nil {
				r.note(func() { errs = append(errs, err) }, nil, "a lane has ended: %v", err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// lane takes cell by cell.
func (r *reachRun) lane(ctx context.Context, next <-chan cell) (err error) {
	var g *ground
	defer func() {
		if g != nil {
			err = errors.Join(err, g.close())
		}
	}()
	for c := range next {
		if ctx.Err() != nil {
			return nil
		}
		if g != nil && g.terrain != c.on {
			if err := g.close(); err != nil {
				return err
			}
			g = nil
		}
		if g == nil {
			if g, err = lay(ctx, r.o, c.on); err != nil {
				return err
			}
		}
		c.do(ctx, g)
	}
	return nil
}

// A ground is an Internet with a hub, on which homes meet, one pair at a time.
type ground struct {
	terrain
	net   *nat.Net
	hub   *reach.Hub
	homes map[string]*reach.Home // by kind and side
}

// lay makes a ground and starts the hub.
func lay(ctx context.Context, o ReachOptions, on terrain) (*ground, error) {
	if on.near {
		o.Delay /= 2
	}
	n, err := nat.Lay("reach", nat.Shape{A: nat.None, B: nat.None, Delay: o.Delay, IPv4Only: !on.v6})
	if err != nil {
		return nil, fmt.Errorf("bench: lay the network: %w", err)
	}
	g := &ground{terrain: on, net: n, homes: make(map[string]*reach.Home)}
	g.hub, err = reach.NewHub(ctx, n.Internet, reach.Options{Program: filepath.Join(o.Programs, "l2tun"), Dir: n.Dir(), Config: on.keys,
		Tag: fmt.Sprintf("l2r%05x", rand.N(1<<20))})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bench: start the hub: %w", err), g.close())
	}
	return g, nil
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

// home is the home of a kind on a side. It may not have started yet.
func (g *ground) home(ctx context.Context, side string, k nat.Kind) (*reach.Home, error) {
	if x := g.homes[side+k.String()]; x != nil {
		return x, nil
	}
	name := fmt.Sprintf("%s%d", side, k)
	s, err := g.net.Site(name, k)
	if err != nil {
		return nil, err
	}
	x, err := g.hub.Home(ctx, s, name)
	if err == nil {
		g.homes[side+k.String()] = x
	}
	return x, err
}

// forgets lets the NATs of a home forget what passed.
func forgets(homes ...*reach.Home) (err error) {
	for _, x := range homes {
		for r := x.Site.Router; r != nil; r = r.Carrier {
			err = errors.Join(err, r.Restart())
		}
	}
	return err
}

// pair are the two homes of a couple, each up and with a session with the hub. Their NATs,
// which may be one, have remembered nothing before. done stops them.
func (g *ground) pair(ctx context.Context, c couple) (a, b *reach.Home, done func(), err error) {
	a, err = g.home(ctx, "a", c.caller)
	if err == nil {
		b, err = g.home(ctx, "b", c.callee)
	}
	if err != nil {
		return nil, nil, func() {}, err
	}
	err = forgets(a, b)
	for _, x := range []*reach.Home{a, b} {
		if err == nil {
			err = x.Up(ctx)
		}
	}
	return a, b, func() {
		reach.End(a.Node)
		reach.End(b.Node)
		_ = errors.Join(a.Forgets(context.WithoutCancel(ctx), b), b.Forgets(context.WithoutCancel(ctx), a)) // one may never have been told of the other
	}, err
}

// meet lets a couple meet once.
func (g *ground) meet(ctx context.Context, c couple, e reach.Expected) (reach.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	a, b, done, err := g.pair(ctx, c)
	defer done()
	if err != nil {
		return reach.Result{}, err
	}
	return reach.Meet(ctx, a, b, watched(e))
}

// watched is how long two are watched until they are direct.
func watched(e reach.Expected) time.Duration {
	return map[reach.Expected]time.Duration{reach.Direct: directTime, reach.Circuit: circuitTime}[e]
}
