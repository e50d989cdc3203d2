package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/invite"
)

// InviteOptions are the flags and the argument of l2tun invite.
type InviteOptions struct {
	IO
	*target
	invite.Spec
	NoAddress bool
	QR        bool
	JSON      bool
}

// invited is an invitation as --json prints it.
type invited struct {
	control.Stamp
	ID         string    `json:"id"`
	Link       string    `json:"link"`
	Name       string    `json:"name"`    // of the peer to be
	Address    string    `json:"address"` // it gets; empty: none
	AllowedIPs []string  `json:"allowed_ips"`
	Endpoints  []string  `json:"endpoints"`
	Expires    time.Time `json:"expires"`
}

func newInviteCmd(o *InviteOptions, runF func(context.Context, *InviteOptions) error) *cobra.Command {
	o.target = &target{}
	c := &cobra.Command{
		Use:   "invite [NAME]",
		Short: "Make a link by which another node becomes a peer",
		Long: `Make a link for one other node. On that host "l2tun join" takes it, and both
are peers. NAME is what this node calls the new peer.

The link holds where this node is, what it gives to the new peer, and a token that
is good once and until it expires. Whoever has it first can join, so it goes by
a way that others do not read. Only this node, with its key, can answer it.`,
		Args: between(0, 1, "at most one name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := o.take(args); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.Self, "as", "", "`NAME` by which the new peer calls this node (default this host's)")
	f.StringArrayVar(&o.Endpoints, "endpoint", nil, "`HOST:PORT` where this node is reached; may be repeated (default this machine's addresses)")
	f.StringVar(&o.Address, "address", "", "address for the new peer as `CIDR` (default the next free one of this node's network)")
	f.BoolVar(&o.NoAddress, "no-address", false, "give the new peer no address besides the one of its DID")
	f.StringArrayVar(&o.AllowedIPs, "allowed-ip", nil, "further `CIDR` behind the new peer; may be repeated")
	f.StringArrayVar(&o.Routes, "route", nil, "further `CIDR` behind this node; may be repeated")
	f.DurationVar(&o.Life, "expires", 24*time.Hour, "how long the link is good, 1m to 720h")
	f.BoolVar(&o.QR, "qr", false, "draw the link as a QR code too")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	c.AddCommand(
		newInviteListCmd(&InviteListOptions{IO: o.IO, target: o.target}, runInviteList),
		newInviteRemoveCmd(&InviteRemoveOptions{IO: o.IO, target: o.target}, runInviteRemove),
	)
	return c
}

func shortHostname() string {
	name, _ := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	return name
}

func (o *InviteOptions) take(args []string) error {
	if len(args) == 1 {
		o.Peer = args[0]
	}
	if o.Self == "" {
		o.Self = shortHostname()
	}
	if o.Life < invite.MinLife || o.Life > invite.MaxLife {
		return usagef("--expires %s: a link is good for 1m to 720h", o.Life)
	}
	if o.NoAddress {
		if o.Address != "" {
			return usagef("--address and --no-address exclude each other")
		}
		o.Address = "none"
	}
	return nil
}

func runInvite(ctx context.Context, o *InviteOptions) error {
	link, i, err := invite.Make(o.configPath(), o.Spec, time.Now())
	if err != nil {
		return err
	}
	text := link.Text()
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(invited{control.NewStamp(), link.ID, text, i.Name, i.Address, i.AllowedIPs, link.Endpoints, link.Until.UTC()})
	}
	if o.QR {
		qrterminal.GenerateHalfBlock(text, qrterminal.L, o.Out)
	}
	if _, err := fmt.Fprintln(o.Out, text); err != nil {
		return err
	}
	o.explainLink(ctx, link, i)
	return nil
}

// explainLink is for people, beside the link, which programs may want alone.
func (o *InviteOptions) explainLink(ctx context.Context, l invite.Link, i invite.Invitation) {
	who := "a node"
	if i.Name != "" {
		who = i.Name
	}
	gets := ""
	if i.Address != "" {
		gets = ", which gets " + i.Address
	}
	fmt.Fprintf(o.Err, "Invitation %s for %s%s. It is good once, until %s, at %s.\n", l.ID, who, gets,
		l.Until.Format("2006-01-02 15:04"), strings.Join(l.Endpoints, ", "))
	fmt.Fprintln(o.Err, `On the other host: run "l2tun join" and paste the line above.`)
	if !o.running(ctx) {
		fmt.Fprintln(o.Err, `Before that: this node does not run; "l2tun up" starts it.`)
	}
}

// running asks the node; one that does not say that it is gone counts as there.
func (o *InviteOptions) running(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	_, err := o.connect().Status(ctx)
	return !errors.Is(err, control.ErrNotRunning)
}
