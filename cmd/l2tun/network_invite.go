package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
	"github.com/libertaria-project/l2tun/network"
)

// NetworkInviteOptions are the flags of l2tun network invite.
type NetworkInviteOptions struct {
	*networkTarget
	Uses      int
	Life      time.Duration
	Member    time.Duration
	Groups    []string
	Endpoints []string
	Approve   bool
	QR        bool
	JSON      bool
}

// invitedMembers is an invitation into a network as --json prints it.
type invitedMembers struct {
	control.Stamp
	ID        string    `json:"id"`
	Link      string    `json:"link"`
	Network   string    `json:"network"`
	Uses      int       `json:"uses"`
	Groups    []string  `json:"groups"`
	Endpoints []string  `json:"endpoints"`
	Approve   bool      `json:"approve"`
	Expires   time.Time `json:"expires"`
}

func newNetworkInviteCmd(o *NetworkInviteOptions, runF func(context.Context, *NetworkInviteOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "invite",
		Short: "Create a link by which nodes become members",
		Long: `Create a link for one node, or for several (--uses). "l2tun join" on each of them
makes it a member, with a name and an address. This node has to run meanwhile and be
reachable, and it has to be an issuer of the network.

Whoever reads the link can join: send it as you would send a password. With --approve
each node waits until "l2tun network approve" lets it in.`,
		Example: `  l2tun network invite
  l2tun network invite --uses 9 --for 1h --group laptop`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if o.Life < invite.MinLife || o.Life > invite.MaxLife {
				return usagef("--for %s: choose 1m to 30d", spell(o.Life))
			}
			if o.Uses < 1 || o.Uses > invite.MaxUses {
				return usagef("--uses %d: choose 1 to %d", o.Uses, invite.MaxUses)
			}
			if o.Member <= 0 && c.Flags().Changed("member-for") {
				return usagef("--member-for %s: choose a time above zero, such as 90d, or leave the flag out for no end", spell(o.Member))
			}
			return runF(c.Context(), o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.Uses, "uses", 1, "how many nodes may join by it")
	o.Life = day
	f.Var((*days)(&o.Life), "for", "lifetime of the link as `DURATION`, 1m to 30d")
	f.Var((*days)(&o.Member), "member-for", "how long they are members, as `DURATION` (default no end)")
	f.StringArrayVar(&o.Groups, "group", nil, "`GROUP` of the new members; may be repeated")
	f.StringArrayVar(&o.Endpoints, "endpoint", nil, "public address `HOST:PORT` of this node; may be repeated (default this machine's addresses)")
	f.BoolVar(&o.Approve, "approve", false, "let each node wait until a person has agreed")
	f.BoolVar(&o.QR, "qr", false, "print the link as a QR code too")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runNetworkInvite(ctx context.Context, o *NetworkInviteOptions) error {
	n, st, err := o.held()
	if err != nil {
		return err
	}
	id, err := config.LoadIdentity(o.configPath())
	if err != nil {
		return err
	}
	if err := netadmin.MayInvite(st.View(), id.DID(), o.Groups); err != nil {
		return usagef("%s", refusalText(err))
	}
	asked, cancel := context.WithTimeout(ctx, statusTime)
	status, down := o.connect().Status(asked)
	cancel()
	l, i, err := invite.MakeMember(o.configPath(), invite.MemberSpec{Network: *n, Endpoints: o.Endpoints, Hubs: hubsOf(n, st.View()), Groups: o.Groups,
		Member: o.Member, Uses: o.Uses, Approve: o.Approve, Life: o.Life, Seen: seenBy(status)}, time.Now())
	if err != nil {
		return err
	}
	text := l.Text()
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(invitedMembers{control.NewStamp(), l.ID, text, n.Name, i.Uses, append([]string{}, i.Groups...), l.Endpoints, i.Approve, l.Until.UTC()})
	}
	if o.QR {
		qrterminal.GenerateHalfBlock(text, qrterminal.L, o.Out)
	}
	if _, err := fmt.Fprintln(o.Out, text); err != nil {
		return err
	}
	fmt.Fprintf(o.Err, "Invitation %s into %s for %s: valid %s (until %s).\n", l.ID, n.Name, count(uint64(o.Uses), "node"), spell(o.Life), l.Until.Format("2006-01-02 15:04 MST"))
	if invite.AllPrivate(l.Endpoints) && len(o.Endpoints) == 0 {
		fmt.Fprintln(o.Err, "Note: the addresses of this node in it are private, so the link works on this network only; --endpoint HOST:PORT adds a public one.")
	}
	if errors.Is(down, control.ErrNotRunning) {
		fmt.Fprintf(o.Err, "This node is not running: start it with %s first.\n", upCommand(o.target, o.configPath()))
	}
	fmt.Fprintln(o.Err, `On each other host: run "l2tun join" and paste the line above.`)
	return nil
}

// hubsOf are hubs of a network of which the config says where they are.
func hubsOf(n *config.Network, v *network.View) (hubs []invite.Hub) {
	for _, c := range n.Contacts {
		if h, ok := invite.ContactHub(c); ok && v.IsHub(c.DID) {
			hubs = append(hubs, h)
		}
	}
	return hubs
}

func newNetworkApproveCmd(o *networkTarget, use, short string, yes bool) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Long: short + ". NODE is the name that it asks for, or its DID; without it those\nthat wait are listed.",
		Args: between(0, 1, "at most one NODE"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			store := invite.NewStore(o.configPath())
			if len(args) == 0 {
				return o.listWaiting(store)
			}
			u, err := store.Decide(args[0], yes)
			if errors.Is(err, invite.ErrUnknown) {
				return usagef("no node %q waits; l2tun network %s lists those that do", args[0], c.Name())
			}
			if errors.Is(err, invite.ErrSeveral) {
				return usagef("several nodes that wait ask for the name %q; name one by its DID, which l2tun network %s lists", args[0], c.Name())
			}
			if err != nil {
				return err
			}
			said := "let in: "
			if !yes {
				said = "refused: "
			}
			_, err = fmt.Fprintln(o.Out, said+printable(u.Name+" ("+u.DID+")"))
			return err
		},
	}
}

func (t *networkTarget) listWaiting(store *invite.Store) error {
	all, err := store.List()
	if err != nil {
		return err
	}
	none := true
	for _, i := range all {
		for _, u := range i.Users {
			if u.State == invite.Wanting {
				none = false
				fmt.Fprintln(t.Out, printable(u.Name+" "+u.DID+" since "+u.At.Local().Format(time.DateTime)+", invitation "+i.ID))
			}
		}
	}
	if none {
		fmt.Fprintln(t.Out, "no node waits")
	}
	return nil
}
