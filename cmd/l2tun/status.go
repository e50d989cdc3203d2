package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/control"
)

const statusTime = 10 * time.Second

// StatusOptions are the flags of l2tun status.
type StatusOptions struct {
	IO
	target
	JSON bool
}

func newStatusCmd(o *StatusOptions, runF func(context.Context, *StatusOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show a running node and its peers",
		Args:  exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON, SPEC \"Control\"")
	return c
}

func runStatus(ctx context.Context, o *StatusOptions) error {
	client, err := o.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return o.explain(err)
	}
	if s.Program != control.Program() {
		fmt.Fprintf(o.Err, "l2tun: the node is %s and this is %s; restart the node\n", s.Program, control.Program())
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	printStatus(newPrinter(o.IO), s)
	return nil
}
