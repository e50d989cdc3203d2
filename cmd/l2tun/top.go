package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/show/screen"
	"github.com/libertaria-project/l2tun/internal/show/top"
)

// TopOptions are the flags of l2tun top.
type TopOptions struct {
	IO
	target
	Interval time.Duration
	Once     bool
	Samples  int
}

func newTopCmd(o *TopOptions, runF func(context.Context, *TopOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "top",
		Short: "Show a running node live",
		Long: `Show the peers of a running node live: states, paths, round trips and throughput,
and the history of the one that is selected. Keys: up and down select, r makes
new keys, c prefers the next carrier and after the last the best again, as l2tun
prefer does, q quits. With --once the screen is printed as text after some samples.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(o.note(c), o.check()); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.DurationVar(&o.Interval, "interval", time.Second, "time between samples")
	f.BoolVar(&o.Once, "once", false, "print the screen as text and end")
	f.IntVar(&o.Samples, "samples", 5, "with --once: after `N` samples")
	return c
}

func (o *TopOptions) check() error {
	switch {
	case o.Interval < 100*time.Millisecond:
		return usagef("--interval %v: it must be 100ms or more", o.Interval)
	case o.Samples < 1 || o.Samples > 1000:
		return usagef("--samples %d: it must be between 1 and 1000", o.Samples)
	}
	return nil
}

func runTop(ctx context.Context, o *TopOptions) error {
	client := o.connect()
	ctx, cancel := context.WithCancel(ctx) // also for calls that run when the screen ends
	defer cancel()
	m := top.New(ctx, client, o.Interval, screen.Paint{Color: o.Color})
	if !o.Once {
		if !o.terminal() {
			return usagef("top needs a terminal; --once prints its screen as text")
		}
		if s := m.Ask(); s.Err != nil { // said here rather than on a screen of its own
			return o.explain(s.Err)
		}
		return top.Run(ctx, m, o.In, o.Out)
	}
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	text, err := top.Once(ctx, m, o.Samples, o.width())
	if err != nil {
		return o.explain(err)
	}
	_, err = io.WriteString(o.Out, text)
	return err
}
