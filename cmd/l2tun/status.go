package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

const statusTime = 10 * time.Second

// StatusOptions are the flags of l2tun status.
type StatusOptions struct {
	IO
	target
	Peer string // DID, name or overlay address; empty: all
	JSON bool
	Long bool
}

func newStatusCmd(o *StatusOptions, runF func(context.Context, *StatusOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "status [PEER]",
		Short: "Show a running node and its peers",
		Long: `Show a running node on one screen: a table of its peers with overlay address,
state, transport, round trip and rates, then queued and dropped packets, and
what is wrong with what to do about it. --long has a line for each fact, as has
one PEER, given by DID, name or overlay address.`,
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
	c.Flags().BoolVarP(&o.Long, "long", "l", false, "print all there is, a line for each fact")
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON, docs/node.md 8.1")
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
	if o.Peer != "" {
		if err := only(s, o.Peer); err != nil {
			return err
		}
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	switch {
	case o.Peer != "":
		printPeer(newPrinter(o.IO), &s.Peers[0])
		_, err = io.WriteString(o.Out, screen.Health(s.Health, o.width(), screen.Paint{Color: o.Color}))
		return err
	case o.Long:
		printStatus(newPrinter(o.IO), s)
		_, err = io.WriteString(o.Out, screen.Health(s.Health, o.width(), screen.Paint{Color: o.Color}))
		return err
	}
	_, err = io.WriteString(o.Out, screen.Status(s, o.width(), screen.Paint{Color: o.Color}))
	return err
}

// only leaves one peer of a status, and what is wrong with it.
func only(s *control.Status, who string) error {
	p, err := peerOf(s, who)
	if err != nil {
		return err
	}
	about := health.Called(p)
	s.Peers = []control.Peer{*p}
	s.Health = slices.DeleteFunc(s.Health, func(f control.Finding) bool { return f.About != about })
	return nil
}
