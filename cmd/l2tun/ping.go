package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

// PingOptions are the flags and the argument of l2tun ping.
type PingOptions struct {
	IO
	target
	Peer     string // DID, name or overlay address
	Count    int    // 0: no end
	Interval time.Duration
	Timeout  time.Duration
	JSON     bool
}

func newPingCmd(o *PingOptions, runF func(context.Context, *PingOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "ping PEER",
		Short: "Ping a peer through the session and show the path",
		Long: `Send probes to a peer, given by DID, name or overlay address, through its session
on the path in use, and print transport, path and round trip of each. The node of
the peer answers, not its system: the peer's firewall does not matter. The exit
code is 1 if no probe was answered.`,
		Args: exactly(1, "one peer"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Peer = args[0]
			if err := errors.Join(o.note(c), o.check()); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.peerNames,
	}
	o.flags(c)
	f := c.Flags()
	f.IntVarP(&o.Count, "count", "c", 4, "stop after `N` probes; 0: at Ctrl-C")
	f.DurationVar(&o.Interval, "interval", time.Second, "time between probes")
	f.DurationVar(&o.Timeout, "timeout", 2*time.Second, "how long to wait for each answer, 10s at most")
	f.BoolVar(&o.JSON, "json", false, "print one JSON object a line, docs/node.md 8.1")
	return c
}

func (o *PingOptions) check() error {
	if err := noEmptyPeer(o.Peer); err != nil {
		return err
	}
	switch {
	case o.Count < 0:
		return usagef("--count %d: it must not be below 0", o.Count)
	case o.Interval < 10*time.Millisecond:
		return usagef("--interval %v: it must be 10ms or more", o.Interval)
	case o.Timeout <= 0 || o.Timeout > control.PingTime:
		return usagef("--timeout %v: it must be above 0 and at most %v", o.Timeout, control.PingTime)
	}
	return nil
}

// pings is what a run of probes came to.
type pings struct {
	sent, answered int
	min, max, sum  float64 // milliseconds
}

func (p *pings) add(ms float64) {
	if p.answered == 0 || ms < p.min {
		p.min = ms
	}
	p.max = max(p.max, ms)
	p.sum += ms
	p.answered++
}

func runPing(ctx context.Context, o *PingOptions) error {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	client := o.connect()
	var all pings
	next := time.NewTicker(o.Interval)
	defer next.Stop()
	for ctx.Err() == nil && (o.Count == 0 || all.sent < o.Count) {
		if all.sent > 0 {
			select {
			case <-next.C:
			case <-ctx.Done():
				continue
			}
		}
		if err := o.once(ctx, client, &all); err != nil {
			return o.explain(err)
		}
	}
	return o.sum(&all)
}

// once sends one probe. A peer that does not answer is no error yet.
func (o *PingOptions) once(ctx context.Context, client *control.Client, all *pings) error {
	pong, err := client.Ping(ctx, o.Peer, o.Timeout)
	refusal, refused := errors.AsType[*control.APIError](err)
	switch {
	case errors.Is(err, control.ErrInterrupted):
		return nil
	case refused && (refusal.Code == http.StatusConflict || refusal.Code == http.StatusGatewayTimeout):
		all.sent++
		return o.print(struct {
			control.Stamp
			Error string `json:"error"`
		}{control.NewStamp(), refusal.Msg}, "no answer: "+refusal.Msg)
	case err != nil:
		return err
	}
	all.sent++
	all.add(pong.RTTMS)
	return o.print(pong, pongLine(&pong))
}

// pongLine names the path: "by udp-direct, 10.0.0.1:4242 -> 10.0.0.2:4242", or
// "through nas".
func pongLine(p *control.Pong) string {
	from := cmp.Or(p.Name, p.DID)
	if p.Through != "" {
		return fmt.Sprintf("pong from %s %s in %.2f ms", from, screen.PongWay(p), p.RTTMS)
	}
	return fmt.Sprintf("pong from %s by %s, %s -> %s, in %.2f ms", from, screen.PongWay(p), p.Local, p.Remote, p.RTTMS)
}

func (o *PingOptions) print(doc any, line string) error {
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(doc)
	}
	_, err := fmt.Fprintln(o.Out, line)
	return err
}

func (o *PingOptions) sum(p *pings) error {
	if p.answered == 0 {
		if p.sent == 0 {
			return nil
		}
		return fmt.Errorf("%d sent to %s, 0 received, 100%% loss", p.sent, o.Peer)
	}
	if o.JSON {
		return nil
	}
	_, err := fmt.Fprintf(o.Out, "%d sent, %d received, %d%% loss; min/avg/max %.2f/%.2f/%.2f ms\n", p.sent, p.answered, (p.sent-p.answered)*100/p.sent, p.min, p.sum/float64(p.answered), p.max)
	return err
}
