package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/config"
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

// configPeers completes the first argument with the peers in the config, whether
// a node runs or not.
func (t *target) configPeers(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || t.note(c) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	conf, err := config.Load(t.configPath())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range conf.Peers {
		if p.Name == "" {
			p.Name = p.DID.String()
		}
		names = append(names, p.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
