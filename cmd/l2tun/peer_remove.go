package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
)

// PeerRemoveOptions are the argument of l2tun peer remove.
type PeerRemoveOptions struct {
	IO
	*target
	Who string // DID, name or overlay address
}

func newPeerRemoveCmd(o *PeerRemoveOptions, runF func(context.Context, *PeerRemoveOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:     "remove PEER",
		Aliases: []string{"rm"},
		Short:   "Remove a peer from the config; a running node closes its session immediately",
		Args:    exactly(1, "PEER"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Who = args[0]
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.configPeers,
	}
}

func runPeerRemove(ctx context.Context, o *PeerRemoveOptions) error {
	gone, err := config.RemovePeer(o.configPath(), o.Who)
	if err != nil {
		return err
	}
	running, err := o.takeUp(ctx)
	if err != nil {
		return err
	}
	return changed(o.IO, "removed "+nameAndDID(gone.Name, gone.DID), running)
}
