package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// WhyOptions are the arguments of l2tun why.
type WhyOptions struct {
	IO
	target
	Peer    string // DID, name or overlay address
	Traffic string // "tcp:22"
	To      string // address; "" for the node's own
	JSON    bool
}

func newWhyCmd(o *WhyOptions, runF func(context.Context, *WhyOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "why PEER PROTO:PORT",
		Short: "Say whether a peer may reach a port of this node, and which line says so",
		Long: `Ask the running node whether PEER may send something to it, and which line decides:
a grant of a network, an [[only]] block of the config, or both. Answers to what this node
has sent to the peer pass whatever this says.

PROTO:PORT is tcp:22, udp:53, icmp, or proto:47 for GRE.`,
		Example: `  l2tun why laptop tcp:22
  l2tun why laptop tcp:80 --to 192.168.50.7`,
		Args: exactly(2, "a peer and what it would send"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Peer, o.Traffic = args[0], args[1]
			if err := noEmptyPeer(o.Peer); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.peerNames,
	}
	o.flags(c)
	c.Flags().StringVar(&o.To, "to", "", "the `ADDRESS` that it would send to: of this node, or behind it (default: this node's own)")
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON, docs/node.md 8.1")
	return c
}

func runWhy(ctx context.Context, o *WhyOptions) error {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	why, err := o.connect().Why(ctx, o.Peer, o.Traffic, o.To)
	if err != nil {
		return o.explain(err)
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(why)
	}
	verb := "may"
	if !why.Allowed {
		verb = "may not"
	}
	_, err = fmt.Fprintln(o.Out, printable(fmt.Sprintf("%s %s send %s to %s: %s", cmp.Or(why.Name, why.DID), verb, why.Traffic, why.To, why.By)))
	return err
}
