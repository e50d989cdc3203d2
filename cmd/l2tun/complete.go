package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

const completeTime = time.Second

// peerNames completes the first argument with what the running node calls its
// peers: names, and DIDs of those without one.
func (t *target) peerNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || t.note(c) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	client := t.connect()
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

// completeNames completes -i with the configs that are there.
func (p *place) completeNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return config.Names(p.folder()), cobra.ShellCompDirectiveNoFileComp
}

// completeNames completes -i with the configs that are there and the nodes that
// run.
func (t *target) completeNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := append(config.Names(t.folder()), control.Running(t.folderOfSockets())...)
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
