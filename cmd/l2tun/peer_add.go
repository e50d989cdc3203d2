package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
)

// PeerAddOptions are the flags and the argument of l2tun peer add.
type PeerAddOptions struct {
	IO
	*target
	config.PeerSpec
}

func newPeerAddCmd(o *PeerAddOptions, runF func(context.Context, *PeerAddOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "add DID",
		Short: "Add a peer to the config; a running node applies it immediately",
		Long: `Add a peer to the config; a running node applies it immediately. A DID has no
checksum: compare it with what l2tun id prints on the peer. One that differs from
a known one in a character or two is refused.

A peer without --endpoint connects to this node, is found on the LAN, or is met
through a peer that was added with --hub, which must have relay = "peers" in its
config and both of them as peers.`,
		Example: `  l2tun peer add did:morpheus:z… --name nas --endpoint 192.0.2.10:4242 --hub
  l2tun peer add did:morpheus:z… --name laptop  # behind NAT, as this node: met through nas`,
		Args: exactly(1, "DID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := o.parse(args[0]); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "`NAME` for people")
	f.StringArrayVar(&o.Endpoints, "endpoint", nil, "public address of the peer, `HOST:PORT`; may be repeated")
	f.StringArrayVar(&o.AllowedIPs, "allowed-ip", nil, "`CIDR` routed to and accepted from the peer (WireGuard's AllowedIPs); may be repeated")
	f.BoolVar(&o.Hub, "hub", false, "the peer helps this node to meet others, and forwards meanwhile")
	return c
}

func (o *PeerAddOptions) parse(arg string) (err error) {
	o.DID, err = parseDID(arg)
	return err
}

func parseDID(arg string) (did.DID, error) {
	d, err := did.Parse(arg)
	if err != nil {
		return d, usagef("%q: %s", arg, strings.TrimPrefix(err.Error(), "did: "))
	}
	return d, nil
}

func runPeerAdd(ctx context.Context, o *PeerAddOptions) error {
	if err := config.AddPeer(o.configPath(), o.PeerSpec); err != nil {
		return err
	}
	running, err := o.takeUp(ctx)
	if err != nil {
		return err
	}
	return changed(o.IO, "added "+nameAndDID(o.Name, o.DID), running)
}
