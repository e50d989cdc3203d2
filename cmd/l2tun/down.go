package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hostnames"
	"github.com/libertaria-project/l2tun/internal/app/node"
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
		Short: "Stop a node and remove its interface and routes",
		Long: `Stop a node and return when its interface, routes and socket are gone. If the
node was killed, remove what it has left behind.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().DurationVar(&o.Timeout, "timeout", 30*time.Second, "how long to wait for the node")
	return c
}

func runDown(ctx context.Context, o *DownOptions) error {
	client := o.connect()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	err := client.Down(ctx)
	if errors.Is(err, control.ErrNotRunning) {
		return o.undoLeft(ctx, err)
	}
	return err
}

// undoLeft takes out what a node has left that was killed; gone is the error if
// there is nothing.
func (o *DownOptions) undoLeft(ctx context.Context, gone error) error {
	undone, err := node.UndoLeft(o.at)
	if err != nil {
		return err
	}
	names, err := hostnames.UndoLeft(ctx, o.at)
	undone = append(undone, names...)
	switch {
	case err != nil:
		return err
	case len(undone) == 0:
		return o.explain(gone)
	}
	_, err = fmt.Fprintf(o.Out, "no node was running; removed what an earlier one had left: %s\n", strings.Join(undone, ", "))
	return err
}
