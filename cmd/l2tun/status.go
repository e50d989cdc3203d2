package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/screen"
)

const statusTime = 10 * time.Second

// StatusOptions are the flags of l2tun status.
type StatusOptions struct {
	IO
	target
	JSON bool
	Long bool
}

func newStatusCmd(o *StatusOptions, runF func(context.Context, *StatusOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show a running node and its peers",
		Long: `Show a running node on one screen: its peers with state, path, round trip, rates
and what was lost, then what is wrong and what to do about it. --long has a line
for each fact.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVarP(&o.Long, "long", "l", false, "print all there is, a line for each fact")
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON, SPEC \"Control\"")
	return c
}

func runStatus(ctx context.Context, o *StatusOptions) error {
	client := o.connect()
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return o.explain(err)
	}
	if s.Program != control.Program() {
		fmt.Fprintf(o.Err, "l2tun: the node is %s and this is %s; restart the node\n", s.Program, control.Program())
	}
	o.warnConfig(o.IO)
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	if o.Long {
		printStatus(newPrinter(o.IO), s)
		return nil
	}
	_, err = io.WriteString(o.Out, screen.Status(s, o.width(), screen.Paint{Color: o.Color}))
	return err
}
