package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// RotateOptions are the flags and the argument of l2tun rotate.
type RotateOptions struct {
	IO
	target
	Peer string // DID, name or overlay address; empty: all
}

func newRotateCmd(o *RotateOptions, runF func(context.Context, *RotateOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate [PEER]",
		Short: "Replace the keys shared with a peer, or with all peers",
		Long: `Replace the session keys shared with a peer, given by DID, name or overlay address,
or with all peers, and return when the new keys are in use. A peer without new keys
after 5 seconds keeps the old ones; the exit code is then 1.`,
		Args: between(0, 1, "at most one peer"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := optionalPeer(args, &o.Peer); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.peerNames,
	}
	o.flags(c)
	return c
}

func runRotate(ctx context.Context, o *RotateOptions) error {
	client := o.connect()
	ctx, cancel := context.WithTimeout(ctx, control.RotateTime+statusTime)
	defer cancel()
	peers, err := client.Rotate(ctx, o.Peer)
	if err != nil {
		return o.explain(err)
	}
	return o.report(peers)
}

// report prints the peers with new keys; the error names the others.
func (o *RotateOptions) report(peers []control.Rotated) error {
	var failed []string
	for _, p := range peers {
		who := cmp.Or(p.Name, p.DID)
		if p.Error != "" {
			failed = append(failed, who+" ("+p.Error+")")
		} else if _, err := fmt.Fprintf(o.Out, "%s: epoch %d\n", who, p.Epoch); err != nil {
			return err
		}
	}
	if failed != nil {
		return errors.New("no new keys with " + strings.Join(failed, ", "))
	}
	return nil
}
