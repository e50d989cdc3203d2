package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
)

// PeerSetOptions are the flags and the argument of l2tun peer set.
type PeerSetOptions struct {
	IO
	*target
	Who     string // DID, name or overlay address
	DID     string
	Name    string
	Hub     bool
	Invites bool
	Change  config.PeerChange
}

func newPeerSetCmd(o *PeerSetOptions, runF func(context.Context, *PeerSetOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "set PEER",
		Short: "Change a peer in the config; a running node applies it immediately",
		Long: `Change a peer, given by DID, name or overlay address, in the config. Comments and
everything else in the file stay. A running node applies it immediately: its
session goes on, but for --did, which names another key.

--endpoint and --allowed-ip replace the whole list (an empty value empties it);
those with add and remove change it.`,
		Example: `  l2tun peer set nas --add-endpoint 192.0.2.10:4242
  l2tun peer set nas --name attic --add-allowed-ip 192.168.7.0/24
  l2tun peer set nas --hub                      # it helps to meet peers behind NAT
  l2tun peer set nas --did did:morpheus:z…      # nas has a new key: l2tun id --new`,
		Args: exactly(1, "PEER"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Who = args[0]
			if err := o.parse(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.configPeers,
	}
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "new `NAME`; empty for none")
	f.StringVar(&o.DID, "did", "", "new `DID` of the peer, whose key was replaced")
	f.BoolVar(&o.Hub, "hub", false, "the peer helps this node to meet others; --hub=false: it does not")
	f.BoolVar(&o.Invites, "invites", false, "whom the peer invites becomes a peer of this node too, a hub; --invites=false: not")
	list := func(name, value, what string, l *config.ListChange) {
		f.StringArrayVar(&l.Set, name, nil, "`"+value+"`: "+what+", in place of those there are; may be repeated")
		f.StringArrayVar(&l.Add, "add-"+name, nil, "`"+value+"` to add; may be repeated")
		f.StringArrayVar(&l.Remove, "remove-"+name, nil, "`"+value+"` to remove; may be repeated")
	}
	list("endpoint", "HOST:PORT", "public address of the peer", &o.Change.Endpoints)
	list("allowed-ip", "CIDR", "prefix routed to and accepted from the peer", &o.Change.AllowedIPs)
	return c
}

// parse makes the change of the flags that were given.
func (o *PeerSetOptions) parse(c *cobra.Command) error {
	if c.Flags().Changed("name") {
		o.Change.Name = &o.Name
	}
	if c.Flags().Changed("did") {
		d, err := parseDID(o.DID)
		if err != nil {
			return err
		}
		o.Change.DID = &d
	}
	if c.Flags().Changed("hub") {
		o.Change.Hub = &o.Hub
	}
	if c.Flags().Changed("invites") {
		o.Change.Invites = &o.Invites
	}
	for _, l := range []*config.ListChange{&o.Change.Endpoints, &o.Change.AllowedIPs} {
		if len(l.Set) == 1 && l.Set[0] == "" {
			l.Set = []string{}
		} else if len(l.Set) == 0 {
			l.Set = nil
		}
	}
	if o.Change.Empty() {
		return usagef("change what? %s --help lists the flags", c.CommandPath())
	}
	return nil
}

func runPeerSet(ctx context.Context, o *PeerSetOptions) error {
	before, err := config.SetPeer(o.configPath(), o.Who, o.Change)
	if err != nil {
		return err
	}
	running, err := o.takeUp(ctx)
	if err != nil {
		return err
	}
	return changed(o.IO, "changed "+nameAndDID(before.Name, before.DID), running)
}

// nameAndDID is "nas (did:…)".
func nameAndDID(name string, d did.DID) string {
	if name == "" {
		return d.String()
	}
	return cmp.Or(name, d.String()) + " (" + d.String() + ")"
}
