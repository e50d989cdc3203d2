package main

import (
	"context"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
)

// newOfficeCmd changes a head: by one admin, or with --draft by several.
func newOfficeCmd(o *networkTarget, use, short, what string, args int, change func(args []string) control.NetworkChange) *cobra.Command {
	draft := new(string)
	c := &cobra.Command{
		Use: use, Short: short, Args: exactly(args, what),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return o.do(c.Context(), change(args), *draft)
		},
	}
	draftFlag(c, draft)
	return c
}

func newNetworkAdminCmd(o *networkTarget) *cobra.Command {
	c := &cobra.Command{
		Use:   "admin",
		Short: "Say who may change the network",
		Args:  wantCommand,
		RunE:  noCommand,
	}
	of := func(do string) func([]string) control.NetworkChange {
		return func(args []string) control.NetworkChange { return control.NetworkChange{Do: do, Who: args[0]} }
	}
	c.AddCommand(
		o.completed(newOfficeCmd(o, "add MEMBER", "Let a member, or a key by its DID, change the network", "MEMBER", 1, of(control.DoAdmin))),
		o.completed(newOfficeCmd(o, "remove MEMBER", "Let an admin change the network no more; it stays a member", "MEMBER", 1, of(control.DoNoAdmin))),
	)
	return c
}

func newNetworkThresholdCmd(o *networkTarget) *cobra.Command {
	return newOfficeCmd(o, "threshold NUMBER", "Say how many admins have to sign what changes the network", "NUMBER", 1, func(args []string) control.NetworkChange {
		return control.NetworkChange{Do: control.DoThreshold, Value: args[0]}
	})
}

func newNetworkSucceedCmd(o *networkTarget) *cobra.Command {
	c := newOfficeCmd(o, "succeed MEMBER DID", "Put a new key in the place of a member's: name, addresses and grants stay", "MEMBER and DID", 2, func(args []string) control.NetworkChange {
		return control.NetworkChange{Do: control.DoSucceed, Who: args[0], Value: args[1]}
	})
	return o.completed(c)
}

func newNetworkRestoreCmd(o *networkTarget) *cobra.Command {
	return newOfficeCmd(o, "restore DID", "Take the removal of a node back, so that it can be invited again", "DID", 1, func(args []string) control.NetworkChange {
		return control.NetworkChange{Do: control.DoRestore, Who: args[0]}
	})
}

// NetworkIssuerOptions are the flags and the argument of l2tun network issuer add.
type NetworkIssuerOptions struct {
	*networkTarget
	Who      string
	Groups   []string // nil: as they are
	NoGroups bool
	Prefix   string
	Routes   bool
	NoRoutes bool
	Draft    string
}

func newNetworkIssuerCmd(o *networkTarget, runF func(context.Context, *NetworkIssuerOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "issuer",
		Short: "Say who may invite members, into which groups and with which addresses",
		Args:  wantCommand,
		RunE:  noCommand,
	}
	with := new(bool)
	remove := newOfficeCmd(o, "remove MEMBER", "Let a node invite no more", "MEMBER", 1, func(args []string) control.NetworkChange {
		ch := control.NetworkChange{Do: control.DoNoIssuer, Who: args[0]}
		if *with {
			ch.Value = control.WithMembers
		}
		return ch
	})
	remove.Flags().BoolVar(with, "with-members", false, "also if members that it has invited are none any more then")
	c.AddCommand(o.completed(newIssuerAddCmd(&NetworkIssuerOptions{networkTarget: o}, runF)), o.completed(remove))
	return c
}

func newIssuerAddCmd(o *NetworkIssuerOptions, runF func(context.Context, *NetworkIssuerOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "add MEMBER",
		Short: "Let a member, or a key by its DID, invite; or change what it may",
		Long: `Let a member, or a key by its DID, invite members with its own key. They get addresses
of its prefix, which no other issuer has, and groups that it may give. What is not said
of an issuer that is there stays as it is. A smaller prefix, or fewer groups, ends what
its members have beyond it.`,
		Example: "  l2tun network issuer add nas --group phone --group laptop\n  l2tun network issuer add office --group '*' --prefix 10.21.0.0/16 --routes",
		Args:    exactly(1, "MEMBER"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Who = args[0]
			return runF(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.Groups, "group", nil, "`GROUP` that it may give, can be repeated; * is any")
	f.BoolVar(&o.NoGroups, "no-groups", false, "it may give no group")
	f.StringVar(&o.Prefix, "prefix", "", "addresses that it gives, as `CIDR` (default a free /16 of 10.0.0.0/8)")
	f.BoolVar(&o.Routes, "routes", false, "its members may have networks behind them")
	f.BoolVar(&o.NoRoutes, "no-routes", false, "they may not (default)")
	c.MarkFlagsMutuallyExclusive("group", "no-groups")
	c.MarkFlagsMutuallyExclusive("routes", "no-routes")
	draftFlag(c, &o.Draft)
	return c
}

func runNetworkIssuer(ctx context.Context, o *NetworkIssuerOptions) (err error) {
	ch := control.NetworkChange{Do: control.DoIssuer, Who: o.Who, Groups: o.Groups, Prefix: o.Prefix}
	if o.NoGroups {
		ch.Groups = []string{}
	}
	switch {
	case o.Routes:
		ch.Value = control.MayRoute
	case o.NoRoutes:
		ch.Value = control.MayNotRoute
	}
	if ch.Prefix == "" {
		if ch.Prefix, err = o.freePrefix(); err != nil {
			return err
		}
	}
	return o.do(ctx, ch, o.Draft)
}

// freePrefix is a prefix for a new issuer that this machine has no use for; "" for one that is
// there, which keeps its own.
func (o *NetworkIssuerOptions) freePrefix() (string, error) {
	n, st, err := o.held()
	if err != nil {
		return "", err
	}
	if d, ok := netadmin.Anybody(st.View(), o.Who); ok {
		if _, there := st.View().Issuer(d); there {
			return "", nil
		}
	}
	c, err := config.Load(o.configPath())
	if err != nil {
		return "", err
	}
	used, err := (&NetworkCreateOptions{IO: o.IO, target: o.target, Name: n.Name}).used(c)
	if err != nil {
		return "", err
	}
	var p netip.Prefix
	if p, err = netadmin.FreePrefix(used); err != nil {
		return "", err
	}
	return p.String(), nil
}

// NetworkSetOptions are the flags and the argument of l2tun network set.
type NetworkSetOptions struct {
	*networkTarget
	Who      string
	Groups   []string // nil: as they are
	NoGroups bool
	Routes   []string // nil: as they are
	NoRoutes bool
}

func newNetworkSetCmd(o *NetworkSetOptions, runF func(context.Context, *NetworkSetOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "set MEMBER",
		Short: "Change the groups of a member, and the networks behind it",
		Long: `Change the groups of a member, and the networks behind it that others may reach by it.
The node that has invited the member does that. What is given takes the place of all
that was; what is not given stays. Others take routes only if their config accepts
them (accept_routes).`,
		Example: "  l2tun network set nas --route 192.168.1.0/24\n  l2tun network set phone --group phone --group guest\n  l2tun network set phone --no-groups",
		Args:    exactly(1, "MEMBER"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Who = args[0]
			if o.Groups == nil && o.Routes == nil && !o.NoGroups && !o.NoRoutes {
				return usagef("what is to be changed? say --group, --route, --no-groups or --no-routes")
			}
			return runF(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.Groups, "group", nil, "`GROUP` that it is in, can be repeated")
	f.BoolVar(&o.NoGroups, "no-groups", false, "it is in no group")
	f.StringArrayVar(&o.Routes, "route", nil, "network behind it, as `CIDR`, can be repeated")
	f.BoolVar(&o.NoRoutes, "no-routes", false, "there is no network behind it")
	c.MarkFlagsMutuallyExclusive("group", "no-groups")
	c.MarkFlagsMutuallyExclusive("route", "no-routes")
	return c
}

func runNetworkSet(ctx context.Context, o *NetworkSetOptions) error {
	ch := control.NetworkChange{Do: control.DoSet, Who: o.Who, Groups: o.Groups, Routes: o.Routes}
	if o.NoGroups {
		ch.Groups = []string{}
	}
	if o.NoRoutes {
		ch.Routes = []string{}
	}
	return o.do(ctx, ch, "")
}

// completed completes the first argument of a command with the members' names.
func (t *networkTarget) completed(c *cobra.Command) *cobra.Command {
	c.ValidArgsFunction = t.memberNames
	return c
}

func (t *networkTarget) memberNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || t.note(c) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(context.Background(), completeTime)
	defer cancel()
	all, err := t.connect().Members(ctx, *t.which)
	if err != nil {
		_, st, err := t.held()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all = netadmin.Members(st.View())
	}
	var names []string
	for _, m := range all {
		if m.Name == "" {
			m.Name = m.DID
		}
		names = append(names, m.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
