package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hosts"
)

func newPeerCmd(io IO) *cobra.Command {
	t := &target{}
	c := &cobra.Command{
		Use:   "peer",
		Short: "Add, change, remove and list the peers in the config",
		Args:  wantCommand,
		RunE:  noCommand,
	}
	t.flags(c)
	c.AddCommand(
		newPeerAddCmd(&PeerAddOptions{IO: io, target: t}, runPeerAdd),
		newPeerSetCmd(&PeerSetOptions{IO: io, target: t}, runPeerSet),
		newPeerRemoveCmd(&PeerRemoveOptions{IO: io, target: t}, runPeerRemove),
		newPeerListCmd(&PeerListOptions{IO: io, target: t}, runPeerList),
	)
	return c
}

// takeUp makes a running node use the file that was just changed. No node is
// fine; a node that refuses is an error that says what holds now.
func (t *target) takeUp(ctx context.Context) (running bool, err error) {
	err = t.connect().Reload(ctx)
	switch {
	case errors.Is(err, control.ErrNotRunning):
	case err != nil:
		return false, fmt.Errorf("%s is changed, but the running node refused it: %v", t.configPath(), err)
	default:
		running = true
	}
	if err := t.refreshHosts(hosts.File); err != nil {
		return running, fmt.Errorf("%s is changed, but not the names in %s: %w", t.configPath(), hosts.File, err)
	}
	return running, nil
}

// changed says what was done and whether a node uses it by now.
func changed(o IO, what string, running bool) error {
	if running {
		what += "; applied to the running node"
	}
	_, err := fmt.Fprintln(o.Out, what)
	return err
}
