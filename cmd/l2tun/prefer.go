package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

// automatic is the carrier of no preference.
const automatic = "auto"

// PreferOptions are the arguments of l2tun prefer.
type PreferOptions struct {
	IO
	target
	Peer    string // DID, name or overlay address
	Carrier string // "" for the best
}

func newPreferCmd(o *PreferOptions, runF func(context.Context, *PreferOptions) error) *cobra.Command {
	carriers := append(link.Names(), automatic)
	c := &cobra.Command{
		Use:   "prefer PEER CARRIER",
		Short: "Prefer a carrier to a peer, or go back to the best (auto)",
		Long: "Make the running node send to a peer by one carrier whenever it can:\n" + carrierList() + `
auto goes back to the best one. The preference lasts until it is changed or the
node stops; status shows it.`,
		Example: `  l2tun prefer nas utcp
  l2tun prefer nas auto`,
		Args: exactly(2, "a peer and a carrier"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Peer, o.Carrier = args[0], carrierOf(args[1])
			if err := noEmptyPeer(o.Peer); err != nil {
				return err
			}
			if !slices.Contains(carriers, o.Carrier) {
				return usagef("%q is not a carrier: choose %s or %s", args[1], strings.Join(link.Names(), ", "), automatic)
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return carriers, cobra.ShellCompDirectiveNoFileComp
			}
			return o.peerNames(c, args, word)
		},
	}
	o.flags(c)
	return c
}

// carrierList has a line for each carrier, with its word in status.
func carrierList() string {
	var b strings.Builder
	for _, k := range link.Choices() {
		fmt.Fprintf(&b, "  %-10s%s (%s)\n", k.Name, k.About, k.Shown)
	}
	return b.String()
}

// carrierOf takes the words of status too.
func carrierOf(word string) string {
	for _, c := range link.Names() {
		if word == screen.Transport("", c) {
			return c
		}
	}
	return word
}

func runPrefer(ctx context.Context, o *PreferOptions) error {
	carrier, says := o.Carrier, "prefers "+screen.Transport("", o.Carrier)
	if carrier == automatic {
		carrier, says = "", "uses the best transport"
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	if err := o.connect().Prefer(ctx, o.Peer, carrier); err != nil {
		return o.explain(err)
	}
	_, err := fmt.Fprintf(o.Out, "%s: %s\n", o.Peer, says)
	return err
}
