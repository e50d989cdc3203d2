package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
	"github.com/libertaria-project/l2tun/network"
)

func newNetworkCmd(io IO) *cobra.Command {
	t := &target{}
	c := &cobra.Command{
		Use:   "network",
		Short: "Create a network, invite, list and remove members, say who may speak to whom",
		Long: `A network is a set of signed documents that say who belongs together, under which
names and addresses, and who may speak to whom. It needs no server: each member
holds all of it, and a removal reaches every connected member at once.

A member is a peer of every other member with no further edit. Members may ping each
other and nothing else, until "l2tun network grant" says more.`,
		Args: wantCommand,
		RunE: noCommand,
	}
	t.flags(c)
	all := func(which *string) *networkTarget { return &networkTarget{IO: io, target: t, which: which} }
	which := new(string)
	c.PersistentFlags().StringVar(which, "network", "", "`NAME` or id of the network, if the node is in several")
	o := all(which)
	c.AddCommand(
		newNetworkCreateCmd(&NetworkCreateOptions{IO: io, target: t}, runNetworkCreate),
		newNetworkInviteCmd(&NetworkInviteOptions{networkTarget: o}, runNetworkInvite),
		newNetworkMembersCmd(&NetworkMembersOptions{networkTarget: o}, runNetworkMembers),
		o.completed(newMemberCmd(o, "remove MEMBER", "Remove a member: all others close their sessions with it at once", control.DoRemove, 1)),
		o.completed(newMemberCmd(o, "rename MEMBER NAME", "Give a member another name", control.DoRename, 2)),
		o.completed(newNetworkExtendCmd(&NetworkExtendOptions{networkTarget: o}, runNetworkExtend)),
		o.completed(newNetworkSetCmd(&NetworkSetOptions{networkTarget: o}, runNetworkSet)),
		newGrantCmd(&NetworkGrantOptions{networkTarget: o, do: control.DoGrant}, "grant FROM TO TRAFFIC", "Let members send something to members, or to networks behind them"),
		newGrantCmd(&NetworkGrantOptions{networkTarget: o, do: control.DoRevoke}, "revoke FROM TO TRAFFIC", "Take a grant back"),
		newNetworkHubCmd(o),
		newNetworkAdminCmd(o),
		newNetworkIssuerCmd(o, runNetworkIssuer),
		newNetworkThresholdCmd(o),
		newNetworkSucceedCmd(o),
		newNetworkRestoreCmd(o),
		newNetworkApproveCmd(o, "approve NODE", "Let a node in that waits (network invite --approve)", true),
		newNetworkApproveCmd(o, "deny NODE", "Refuse a node that waits", false),
		newNetworkSignCmd(&NetworkSignOptions{IO: io, target: t}, runNetworkSign),
		newNetworkTakeCmd(&NetworkTakeOptions{networkTarget: o}, "take FILE", "Put a document into use that others have signed"),
		newNetworkTakeCmd(&NetworkTakeOptions{networkTarget: o, trust: true}, "trust FILE HASH", "Take a head because you have compared its hash: the way out of a fork"),
		newNetworkConfirmCmd(o),
		newNetworkTestCmd(&NetworkTestOptions{networkTarget: o}, runNetworkTest),
		newNetworkLogCmd(&NetworkLogOptions{networkTarget: o}, runNetworkLog),
	)
	return c
}

// A networkTarget says which network of which node is meant.
type networkTarget struct {
	IO
	*target
	which *string // its name there or its id; empty: the only one
}

// network is the one that is meant, by the config.
func (t *networkTarget) network() (*config.Network, error) {
	c, err := config.Load(t.configPath())
	if err != nil {
		return nil, err
	}
	n := c.Network(*t.which)
	switch {
	case n != nil:
		return n, nil
	case len(c.Networks) == 0:
		return nil, usagef("this node is in no network; l2tun network create NAME makes one, l2tun join LINK joins one")
	case *t.which == "":
		return nil, usagef("which network? this node is in %d; say which with --network NAME", len(c.Networks))
	}
	return nil, usagef("this node is in no network %q", *t.which)
}

// held is the network as it lies on the disk.
func (t *networkTarget) held() (*config.Network, *network.State, error) {
	n, err := t.network()
	if err != nil {
		return nil, nil, err
	}
	st, err := netadmin.Offline{Config: t.configPath()}.Open(n.ID)
	return n, st, err
}

// change has the running node do what is asked for, or does it where none runs.
func (t *networkTarget) change(ctx context.Context, c control.NetworkChange) (control.NetworkChanged, error) {
	c.Network = *t.which
	done, err := t.connect().ChangeNetwork(ctx, c)
	if !errors.Is(err, control.ErrNotRunning) {
		return done, err
	}
	n, err := t.network()
	if err != nil {
		return done, err
	}
	id, err := config.LoadIdentity(t.configPath())
	if err != nil {
		return done, err
	}
	lock, err := control.Acquire(t.at)
	if err != nil {
		return done, err
	}
	defer lock.Release()
	return netadmin.Offline{Config: t.configPath()}.Change(n.ID, id, c, time.Now())
}

// do makes a change and says so; a draft goes into a file.
func (t *networkTarget) do(ctx context.Context, c control.NetworkChange, draft string) error {
	if c.Draft = draft != ""; c.Draft {
		if err := refuseExisting(draft); err != nil {
			return err
		}
	}
	done, err := t.change(ctx, c)
	if err != nil {
		return err
	}
	if c.Draft {
		return t.write(draft, done.Document)
	}
	_, err = fmt.Fprintln(t.Out, printable(done.Done))
	return err
}

func (t *networkTarget) write(path string, doc []byte) error {
	f, err := createNew(path)
	if err != nil {
		return err
	}
	_, err = f.Write(doc)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(t.Err, "%s is signed by this node. Other admins: l2tun network sign %s; then, on a member: l2tun network take %s\n", path, path, path)
	return nil
}

// maxDocument bounds a file that holds a document, bytes.
const maxDocument = network.MaxBundle

func readDocument(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("there is no file %s", path)
	case err == nil && (info.Size() > maxDocument || !info.Mode().IsRegular()):
		return nil, usagef("%s is no document of a network", path)
	}
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("cannot read %s: %v", path, errors.Unwrap(err))
	}
	return doc, nil
}

func newMemberCmd(o *networkTarget, use, short, do string, args int) *cobra.Command {
	what := map[int]string{1: "MEMBER", 2: "MEMBER and NAME"}[args]
	return &cobra.Command{
		Use: use, Short: short, Args: exactly(args, what),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			ch := control.NetworkChange{Do: do, Who: args[0]}
			if len(args) > 1 {
				ch.Value = args[1]
			}
			return o.do(c.Context(), ch, "")
		},
	}
}

// NetworkExtendOptions are the arguments of l2tun network extend.
type NetworkExtendOptions struct {
	*networkTarget
	Who  string
	Life time.Duration // 0: no end
}

func newNetworkExtendCmd(o *NetworkExtendOptions, runF func(context.Context, *NetworkExtendOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "extend MEMBER DURATION",
		Short: "Say how long from now a node is a member, such as 90d; forever has no end",
		Args:  exactly(2, "MEMBER and DURATION"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if o.Who = args[0]; args[1] != "forever" {
				if err := (*days)(&o.Life).Set(args[1]); err != nil || o.Life <= 0 {
					return noTime(args[1])
				}
			}
			return runF(c.Context(), o)
		},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if e, ok := errors.AsType[*pflag.NotExistError](err); ok && strings.Trim(e.GetSpecifiedName(), "0123456789") == "" {
			return noTime("-" + e.GetSpecifiedShortnames()) // a time below zero, not a flag
		}
		return flagError(c, err)
	})
	return c
}

func noTime(s string) error {
	return usagef("%q is no time from now, such as 90d or 12h; forever has no end", s)
}

func runNetworkExtend(ctx context.Context, o *NetworkExtendOptions) error {
	return o.do(ctx, control.NetworkChange{Do: control.DoExtend, Who: o.Who, Until: o.Life}, "")
}

// NetworkGrantOptions are the arguments of l2tun network grant and revoke.
type NetworkGrantOptions struct {
	*networkTarget
	do    string
	Draft string
}

func newGrantCmd(o *NetworkGrantOptions, use, short string) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short,
		Long: short + `.

FROM and TO are the name of a member, group:NAME, a DID, or all; TO may also be a
network that is a member's route, such as 192.168.1.0/24, or exit. TRAFFIC is a list
such as tcp:22,tcp:443,udp:6000-6010,icmp or * for everything. Members can always
ping each other. Only an admin can grant.`,
		Example: "  l2tun network " + o.do + " all all '*'\n  l2tun network " + o.do + " group:laptop nas tcp:22,tcp:443",
		Args:    exactly(3, "FROM, TO and TRAFFIC"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			g, err := network.GrantOf(args[0], args[1], args[2])
			if err != nil {
				return usagef("%s", refusalText(err))
			}
			return o.networkTarget.do(c.Context(), control.NetworkChange{Do: o.do, Value: g}, o.Draft)
		},
	}
	draftFlag(c, &o.Draft)
	return c
}

func draftFlag(c *cobra.Command, to *string) {
	c.Flags().StringVar(to, "draft", "", "write the head that this node signs to `FILE`, for other admins to sign, and change nothing")
}

// refusalText is a refusal of a document's rule without code and place.
func refusalText(err error) string {
	if r, ok := errors.AsType[*network.Refusal](err); ok {
		return r.Text
	}
	return err.Error()
}

func newNetworkHubCmd(o *networkTarget) *cobra.Command {
	h := &cobra.Command{
		Use:   "hub",
		Short: "Say by which members others meet, and who passes their packets on meanwhile",
		Args:  wantCommand,
		RunE:  noCommand,
	}
	for _, x := range []struct{ use, short, do string }{
		{"add MEMBER", "Make a member a hub: all members keep a session with it", control.DoHub},
		{"remove MEMBER", "Make a hub a member like others", control.DoNoHub},
	} {
		draft := new(string)
		c := &cobra.Command{
			Use: x.use, Short: x.short, Args: exactly(1, "MEMBER"),
			RunE: func(c *cobra.Command, args []string) error {
				if err := o.note(c); err != nil {
					return err
				}
				return o.do(c.Context(), control.NetworkChange{Do: x.do, Who: args[0]}, *draft)
			},
		}
		draftFlag(c, draft)
		h.AddCommand(o.completed(c))
	}
	return h
}

// NetworkTakeOptions are the arguments of l2tun network take and trust.
type NetworkTakeOptions struct {
	*networkTarget
	trust bool
}

func newNetworkTakeCmd(o *NetworkTakeOptions, use, short string) *cobra.Command {
	n, what := 1, "FILE"
	if o.trust {
		n, what = 2, "FILE and HASH"
	}
	return &cobra.Command{
		Use: use, Short: short, Args: exactly(n, what),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			if _, err := netadmin.Describe(doc); err != nil {
				return usagef("%s is no document of a network: %v", args[0], err)
			}
			ch := control.NetworkChange{Do: control.DoTake, Document: doc}
			if o.trust {
				ch.Do, ch.Value = control.DoTrust, args[1]
			}
			return o.networkTarget.do(c.Context(), ch, "")
		},
	}
}

func newNetworkConfirmCmd(o *networkTarget) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm DID",
		Short: "Put removals of an admin into effect that wait, because they were more than 10 in a minute",
		Args:  exactly(1, "DID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return o.do(c.Context(), control.NetworkChange{Do: control.DoConfirm, Who: args[0]}, "")
		},
	}
}
