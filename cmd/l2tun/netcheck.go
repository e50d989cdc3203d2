package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/show/screen"
)

// NetcheckOptions are the flags of l2tun netcheck.
type NetcheckOptions struct {
	IO
	target
	JSON bool
}

func newNetcheckCmd(o *NetcheckOptions, runF func(context.Context, *NetcheckOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "netcheck",
		Short: "Show how the running node can be reached, and what to expect of paths",
		Long: `Ask the running node what its peers and its own network tell it: what kind of NAT
this host is behind and which peers say so, whether IPv6 works, the addresses at
which it may be reached, its hubs with their round trips, and what follows from
that for paths to other peers. Nothing is sent to strangers: there are no STUN
servers, and no answer without peers.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON, docs/node.md 8.1")
	return c
}

func runNetcheck(ctx context.Context, o *NetcheckOptions) error {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	n, err := o.connect().Netcheck(ctx)
	if err != nil {
		return o.explain(err)
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(n)
	}
	_, err = io.WriteString(o.Out, screen.Netcheck(&n, o.width(), screen.Paint{Color: o.Color}))
	return err
}
