package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

const completeTime = time.Second

// peerNames completes the first argument with what the running node calls its
// peers: names, and DIDs of those without one.
func (t *target) peerNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || t.note(c) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	client, err := t.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(context.Background(), completeTime)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range s.Peers {
		if p.Name == "" {
			p.Name = p.DID
		}
		names = append(names, p.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
