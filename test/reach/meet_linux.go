package reach

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/node"
)

const (
	look  = 2 * time.Millisecond  // between two looks at a node that is about to begin
	watch = 10 * time.Millisecond // and at one that is under way
	calm  = 500 * time.Millisecond
)

// A Result is what came of two homes that were told of each other.
type Result struct {
	First  time.Duration // from the moment at which the caller knew the callee to its first packet there; 0: none came
	Direct time.Duration // until both ends sent directly; 0: they did not
	Lost   int           // packets of the caller that did not arrive, from its first one that did on
	Twice  int           // packets that arrived twice
	Caller control.Peer  // the callee as the caller sees it in the end
	Callee control.Peer  // and the other way round
}

// Meet tells two homes of each other, the callee first, and watches until both send
// directly or the time is over. Both are up and have no session with each other. The
// caller sends a packet every 5 ms.
func Meet(ctx context.Context, caller, callee *Home, within time.Duration) (r Result, err error) {
	if err := callee.Knows(ctx, caller); err != nil {
		return r, err
	}
	if !node.Pause(ctx, calm) { // the callee asks for a peer that does not know it yet
		return r, ctx.Err()
	}
	known := make(chan error, 1)
	go func() { known <- caller.Knows(ctx, callee) }()
	began, err := begins(ctx, caller, callee)
	if err != nil {
		return r, errors.Join(err, <-known)
	}
	r, err = watched(ctx, caller, callee, began, within)
	return r, errors.Join(err, <-known)
}

// watched sends and looks at both ends until both are direct or the time is over.
func watched(ctx context.Context, caller, callee *Home, began time.Time, within time.Duration) (r Result, err error) {
	f, err := start(caller, callee)
	if err != nil {
		return r, err
	}
	err = r.follow(ctx, caller, callee, began, within)
	r.Lost, r.Twice, _ = f.end(began)
	if first := f.first(began); !first.IsZero() { // it may have been under way
		r.First = first.Sub(began)
	}
	return r, err
}

// begins waits until a home knows the other and returns the moment before that was seen.
func begins(ctx context.Context, caller, callee *Home) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for before := time.Now(); ; {
		asked := time.Now()
		st, err := caller.Client().Status(ctx)
		if err != nil {
			return before, err
		}
		for _, p := range st.Peers {
			if p.DID == callee.DID {
				return before, nil
			}
		}
		if before = asked; !node.Pause(ctx, look) {
			return before, fmt.Errorf("%s does not take the peer up: %w", caller.Name, ctx.Err())
		}
	}
}

// follow looks at both ends until both are direct or the time is over.
func (r *Result) follow(ctx context.Context, caller, callee *Home, began time.Time, within time.Duration) (err error) {
	for {
		asked := time.Now()
		if r.Caller, err = caller.Peer(ctx, callee.DID); err != nil {
			return err
		}
		if r.Callee, err = callee.Peer(ctx, caller.DID); err != nil {
			return err
		}
		if direct(r.Caller) && direct(r.Callee) {
			r.Direct = asked.Sub(began)
			return nil
		}
		if time.Since(began) > within || !node.Pause(ctx, watch) {
			return ctx.Err()
		}
	}
}

func direct(p control.Peer) bool { return established(p) && p.Carrier == "direct" }

// Is says whether the result is what two homes permit.
func (r *Result) Is(e Expected) bool {
	if e == Direct {
		return r.Direct > 0 && r.First > 0
	}
	return r.First > 0 && r.Direct == 0 && r.Caller.Carrier == "circuit" && r.Callee.Carrier == "circuit"
}

func (r Result) String() string {
	ms := func(d time.Duration) string {
		if d == 0 {
			return "never"
		}
		return fmt.Sprintf("after %d ms", d.Milliseconds())
	}
	return fmt.Sprintf("first packet %s, direct %s, %d lost, %d twice", ms(r.First), ms(r.Direct), r.Lost, r.Twice)
}

// An Outage is what a flow of numbered packets has suffered.
type Outage struct {
	Gap         time.Duration // the longest time without a packet that is new
	Lost, Twice int
	TCP         bool // a connection beside it lives: all that was written has come
}

// Disturb sends packets from one home to another for a time, does something after a
// second of it, and returns what the flow has suffered.
func Disturb(ctx context.Context, from, to *Home, what func() error, d time.Duration) (o Outage, err error) {
	s, err := connect(ctx, from, to)
	if err != nil {
		return o, err
	}
	f, err := start(from, to)
	if err != nil {
		s.end()
		return o, err
	}
	began := time.Now()
	if node.Pause(ctx, time.Second) {
		err = what()
		node.Pause(ctx, d-time.Second)
	}
	o.Lost, o.Twice, o.Gap = f.end(began)
	o.TCP = s.end()
	return o, errors.Join(err, ctx.Err())
}
