package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/test/demo"
)

// DemoOptions are the flags of l2tun demo.
type DemoOptions struct {
	IO
	demo.Options
	Outside string // given by the demo to itself: it runs in its namespaces, and that is not one of them
}

func newDemoCmd(o *DemoOptions, runF func(context.Context, *DemoOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show two nodes on this machine: handshake, ping, throughput",
		Long: `Bring two nodes up on this machine, each in a network namespace of its own, and
show their handshake, ping and throughput as they happen, then a summary. It
takes about ten seconds and leaves nothing behind, also when it is interrupted.
It needs root, or a system that allows user namespaces.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			o.Options.Out, o.Options.Color = o.IO.Out, o.IO.Color
			if err := o.Options.Check(); err != nil {
				return usagef("--duration: %v", err)
			}
			return runF(c.Context(), o)
		},
	}
	f := c.Flags()
	f.DurationVar(&o.Duration, "duration", demo.DefaultDuration, "how long to measure throughput, each way")
	f.StringVar(&o.Outside, "inside", "", "")
	f.MarkHidden("inside")
	return c
}

// runDemo ends at the first signal; others while it cleans up change nothing.
func runDemo(ctx context.Context, o *DemoOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if o.Outside != "" {
		return demo.Inside(ctx, o.Outside, o.Options)
	}
	return demo.Run(ctx, o.Options)
}
