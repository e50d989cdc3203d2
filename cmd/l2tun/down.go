package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// DownOptions are the flags of l2tun down.
type DownOptions struct {
	IO
	target
	Timeout time.Duration
}

func newDownCmd(o *DownOptions, runF func(context.Context, *DownOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "down",
		Short: "Stop a node and wait until its interface, routes and socket are gone",
		Args:  exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().DurationVar(&o.Timeout, "timeout", 30*time.Second, "how long to wait")
	return c
}

func runDown(ctx context.Context, o *DownOptions) error {
	client, err := o.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	return o.explain(client.Down(ctx))
}
