package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/join"
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
	Hubs       []string  `json:"hubs"`      // DIDs of the hubs that the link names
	Deposited  []string  `json:"deposited"` // those of them that pass the join on
	Expires    time.Time `json:"expires"`
}

func newInviteCmd(o *InviteOptions, runF func(context.Context, *InviteOptions) error) *cobra.Command {
	o.target = &target{}
	c := &cobra.Command{
		Use:   "invite [NAME]",
		Short: "Create an invitation link for another node",
		Long: `Create a link for one other node. "l2tun join" on that host makes both nodes peers
of each other. NAME is what this node calls the new peer.

The link holds the addresses of this node, those of the new peer, and a single-use
token that expires. Whoever reads the link first can join: send it as you would
send a password. Only this node, with its key, can answer it.

The link names up to two hubs of this node (hub = true): the new peer then has them
as hubs too. A hub that lets this node invite (invites = true there) passes the join
on and takes the new peer as its own, so two nodes behind NAT need one paste and
nothing more; another hub helps once its owner has added the new peer.

Without --endpoint the link has the addresses of this machine and, if the node
runs and its peers see it at another one, that one too; public addresses first.

With --route 192.168.7.0/24 the new peer reaches a network behind this node (a
[[route]] block in the config lets peers in; it is added if missing), with --route
and this node's own overlay network the other peers of this node. This host must
then forward packets (sysctl net.ipv4.ip_forward=1); the guide has the recipe.`,
		Example: `  l2tun invite laptop
  l2tun invite laptop --endpoint vpn.example:4242 --expires 7d
  l2tun invite nas --route 10.9.0.0/24          # reach the other peers too`,
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
	o.inviteFlags(c.Flags())
	c.AddCommand(
		newInviteListCmd(&InviteListOptions{IO: o.IO, target: o.target}, runInviteList),
		newInviteRemoveCmd(&InviteRemoveOptions{IO: o.IO, target: o.target}, runInviteRemove),
	)
	return c
}

func (o *InviteOptions) inviteFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Self, "as", "", "`NAME` of this node at the new peer (default this host's name)")
	f.StringArrayVar(&o.Endpoints, "endpoint", nil, "public address `HOST:PORT` of this node; may be repeated (default this machine's addresses)")
	f.StringVar(&o.Address, "address", "", "address for the new peer as `CIDR` (default the next free one of this node's network)")
	f.BoolVar(&o.NoAddress, "no-address", false, "give the new peer no address besides the one of its DID")
	f.StringArrayVar(&o.AllowedIPs, "allowed-ip", nil, "additional subnet `CIDR` behind the new peer; may be repeated")
	f.StringArrayVar(&o.Routes, "route", nil, "additional subnet `CIDR` reachable through this node; may be repeated")
	o.Life = 24 * time.Hour
	f.Var((*days)(&o.Life), "expires", "lifetime of the link as `DURATION`, 1m to 30d")
	f.BoolVar(&o.QR, "qr", false, "print the link as a QR code too")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
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
		return usagef("--expires %s: choose 1m to 30d", spell(o.Life))
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
	status, down := o.status(ctx)
	o.Seen = seenBy(status)
	link, i, makeErr := invite.Make(o.configPath(), o.Spec, time.Now())
	if makeErr != nil {
		return makeErr
	}
	if err := o.addRoutes(ctx); err != nil {
		return errors.Join(err, invite.NewStore(o.configPath()).Remove(link.ID))
	}
	hubs, err := join.Deposit(ctx, o.configPath(), link)
	if err != nil {
		return errors.Join(err, invite.NewStore(o.configPath()).Remove(link.ID))
	}
	text := link.Text()
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(invited{control.NewStamp(), link.ID, text, i.Name, i.Address, i.AllowedIPs, link.Endpoints, hubsIn(link), passing(hubs), link.Until.UTC()})
	}
	if o.QR {
		qrterminal.GenerateHalfBlock(text, qrterminal.L, o.Out)
	}
	if _, err := fmt.Fprintln(o.Out, text); err != nil {
		return err
	}
	o.explainLink(link, i, hubs)
	if errors.Is(down, control.ErrNotRunning) {
		fmt.Fprintln(o.Err, `This node is not running: start it with "l2tun up" first.`)
	}
	return nil
}

func hubsIn(l invite.Link) []string {
	out := []string{}
	for _, h := range l.Hubs {
		out = append(out, h.DID.String())
	}
	return out
}

// passing are the hubs that pass the join on.
func passing(hubs []join.Deposited) []string {
	out := []string{}
	for _, h := range hubs {
		if !h.Forbidden && h.Err == nil {
			out = append(out, h.Hub.DID.String())
		}
	}
	return out
}

// aboutHub says what a hub of the link does for the join.
func aboutHub(h join.Deposited) string {
	name := cmp.Or(h.Hub.Name, h.Hub.DID.String())
	switch {
	case h.Err != nil:
		return "The link names the hub " + name + ", which helps the two to meet once both are its peers. It does not pass the join on: " + h.Err.Error() + "."
	case h.Forbidden:
		return "The link names the hub " + name + ", which helps the two to meet once both are its peers. It passes the join on, and takes the new peer, if its owner lets this node invite (invites = true)."
	}
	return "The hub " + name + " passes the join on, takes the new peer too, and helps the two to meet."
}

// explainLink is for people, beside the link, which programs may want alone.
func (o *InviteOptions) explainLink(l invite.Link, i invite.Invitation, hubs []join.Deposited) {
	who := "a node"
	if i.Name != "" {
		who = i.Name
	}
	gets := ""
	if i.Address != "" {
		gets = " (" + i.Address + ")"
	}
	fmt.Fprintf(o.Err, "Invitation %s for %s%s: single use, valid %s (until %s), endpoints %s.\n", l.ID, who, gets,
		spell(o.Life), l.Until.Format("2006-01-02 15:04 MST"), strings.Join(l.Endpoints, ", "))
	for _, h := range hubs {
		fmt.Fprintln(o.Err, printable(aboutHub(h)))
	}
	notes := o.forwarding()
	if len(passing(hubs)) == 0 { // else a hub passes the join on
		notes = append(o.reach(l), notes...)
	}
	for _, line := range notes {
		fmt.Fprintln(o.Err, line)
	}
	fmt.Fprintln(o.Err, `On the other host: run "l2tun join" and paste the line above.`)
}

// reach says what somebody who invites from behind a NAT has to know.
func (o *InviteOptions) reach(l invite.Link) (lines []string) {
	if len(o.Endpoints) > 0 { // the person knows
		return nil
	}
	if invite.AllPrivate(l.Endpoints) {
		return []string{"Note: these addresses are private, so the link works on this network only; --endpoint HOST:PORT adds a public one."}
	}
	machine, err := invite.Machine("")
	if err != nil {
		return nil
	}
	for _, e := range invite.NotOwn(l.Endpoints, machine) {
		lines = append(lines, "Note: "+e+" is where peers see this node, not an address of this machine: its NAT or firewall must let that port in (UDP and TCP).")
	}
	return lines
}

// status is the running node's; nil and an error without one.
func (o *InviteOptions) status(ctx context.Context) (*control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	return o.connect().Status(ctx)
}

// seenBy lists where peers see the node. What they see of a TCP connection that the
// node dialled is a port at which nobody listens.
func seenBy(s *control.Status) (out []netip.AddrPort) {
	if s == nil {
		return nil
	}
	for _, p := range s.Peers {
		ap, err := netip.ParseAddrPort(p.SeenAs)
		if err == nil && p.Link == "quic" {
			out = append(out, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
		}
	}
	return out
}
