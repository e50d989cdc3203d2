package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/node"
	"github.com/libertaria-project/l2tun/test/reach"
)

const (
	idleAfter = 2 * time.Second
	sleepTime = time.Minute     // until both sleep
	soundTime = 3 * time.Second // from then on, a session is woken by a handshake and nothing less (ADR-042)
)

// sleepKeys is what homes have in their configs.
var sleepKeys = fmt.Sprintf("session.idle_after = \"%v\"\n", idleAfter)

// A Wake is a packet for a peer whose session sleeps.
type Wake struct {
	What string `json:"what"`
	Trial
}

// Wakes are some, in no order.
type Wakes []Wake

// A waking is a way in which sleepers are woken.
type waking struct {
	what   string
	pair   couple
	known  bool // each has the other's endpoint in its config, and it is near; else the NATs have forgotten and the hub brings the two together
	within float64
}

func wakings() []waking {
	return []waking{
		{"none wakes none, whose endpoint it knows", couple{caller: nat.None, callee: nat.None}, true, 150},
		{"home wakes home", couple{caller: nat.Home, callee: nat.Home}, false, 1000},
		{"home wakes careless", couple{caller: nat.Home, callee: nat.Careless}, false, 1000},
		{"careless wakes home", couple{caller: nat.Careless, callee: nat.Home}, false, 1000},
		{"careless wakes careless", couple{caller: nat.Careless, callee: nat.Careless}, false, 1000},
	}
}

// wakeCells are all ways, as often as there are trials.
func wakeCells(r *reachRun) (all []cell) {
	for range r.o.Trials {
		for _, w := range wakings() {
			all = append(all, cell{on: terrain{near: w.known, keys: sleepKeys}, do: func(ctx context.Context, g *ground) {
				res, err := g.wake(ctx, w)
				if ctx.Err() != nil {
					return
				}
				t := Wake{w.what, trialOf(w.pair.String(), res, err)}
				r.note(func() { r.res.Woken = append(r.res.Woken, t) }, err, "%-60s %v %s %s", w.what, res, t.Carrier, t.Why)
			}})
		}
	}
	return all
}

// wake lets a couple meet and fall asleep, and wakes it.
func (g *ground) wake(ctx context.Context, w waking) (res reach.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	a, b, done, err := g.pair(ctx, w.pair)
	defer done()
	if err != nil {
		return res, err
	}
	a.Known, b.Known = w.known, w.known
	if r, err := reach.Meet(ctx, a, b, directTime); err != nil || !r.Is(reach.Direct) {
		return res, errors.Join(fmt.Errorf("the two did not meet: %v", r), err)
	}
	still, stop := context.WithTimeout(ctx, sleepTime)
	defer stop()
	if err := reach.Asleep(still, a, b); err != nil {
		return res, err
	}
	node.Pause(ctx, soundTime)
	if !w.known {
		if err := errors.Join(a.Forgotten(), b.Forgotten()); err != nil {
			return res, err
		}
	}
	return reach.Wake(ctx, a, b, directTime)
}

// of are those of one way.
func (ws Wakes) of(what string) (all Trials) {
	for _, w := range ws {
		if w.What == what {
			all = append(all, w.Trial)
		}
	}
	return all
}

// table is the section on sleepers.
func (ws Wakes) table(b *strings.Builder, delayMS float64) {
	if len(ws) == 0 {
		return
	}
	fmt.Fprintf(b, `
## How sleepers are woken

Two homes that were direct sleep after %v without a packet. Then one sends to the other, a packet every 5 ms. Either each has
the other's endpoint in its config, at a round trip of %.0f ms, or the NATs have forgotten all flows but those to the hub, which
brings the two together.

`, idleAfter, 2*delayMS)
	b.WriteString(rowHead("caller and sleeper"))
	for _, w := range wakings() {
		if all := ws.of(w.what); len(all) > 0 {
			fmt.Fprintf(b, "| %s | %s |\n", w.what, all.row())
		}
	}
}

// promises are those about sleepers.
func (ws Wakes) promises() (all []promise) {
	careless, tried := 0, 0
	for _, w := range wakings() {
		ts := ws.of(w.what)
		took := ts.orNever(first)
		all = append(all, within("a sleeper, "+w.what+": first packet, median", w.within, w.within, spreadOf(took).median, len(took)))
		if w.pair.callee != nat.Careless {
			continue
		}
		for _, t := range ts {
			if tried++; !t.is(reach.Direct) {
				careless++
			}
		}
	}
	return append(all, noneOf("sleepers behind a careless NAT that were not woken, or are not direct", careless, tried))
}
