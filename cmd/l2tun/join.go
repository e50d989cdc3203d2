package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/join"
)

const maxPaste = 64 << 10 // bytes

// JoinOptions are the flags and the argument of l2tun join.
type JoinOptions struct {
	IO
	*target
	Text      string // the link; empty: read it
	Name      string
	Listen    string
	Endpoints []string
	Yes       bool // take what the link asks for
	JSON      bool
}

// joined is what --json prints.
type joined struct {
	control.Stamp
	DID     string `json:"did"`     // of this node
	Peer    string `json:"peer"`    // DID of the other one
	Name    string `json:"name"`    // what it is called here
	Address string `json:"address"` // given to this node; empty: none

	AllowedIPs []string `json:"allowed_ips"` // what goes to the other one from here, besides its DID's address
	Config     string   `json:"config"`
	Running    bool     `json:"running"` // a node runs here and uses it
	Network    string   `json:"network"` // that was joined, by its name here; empty: none
	Self       string   `json:"self"`    // what this node is called in it
	Hubs       []string `json:"hubs"`    // DIDs of the hubs that the link named
	Listed     []string `json:"listed"`  // those of them that have this node as a peer by now
}

func newJoinCmd(o *JoinOptions, runF func(context.Context, *JoinOptions) error) *cobra.Command {
	o.target = &target{}
	c := &cobra.Command{
		Use:   "join [LINK]",
		Short: "Join a network by an invitation link",
		Long: `Make this node and the one that made the invitation peers of each other. Config
and key are created if there are none. Without LINK, or with "-", the link is
read from standard input, where other users of this host cannot see it.

A link of "l2tun network invite" makes this node a member of that network, and so a
peer of all its members.

On a terminal the command shows what the link asks for and waits for y. A script
gives --yes; without it, only private networks no larger than /16 (IPv6: /48)
that this machine is not on are accepted.

The hubs that the link names are asked to pass the join on first, then the other
node itself. Nothing changes anywhere unless that one accepts.`,
		Args: between(0, 1, "at most one link; put it in quotes"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if len(args) == 1 && args[0] != "-" {
				o.Text = args[0]
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "`NAME` for the other node (default the one in the link); into a network, of this node there (default this host's name)")
	f.StringVar(&o.Listen, "listen", config.DefaultListen, "listen address `HOST:PORT`, if a config is created")
	f.StringArrayVar(&o.Endpoints, "endpoint", nil, "public address `HOST:PORT` of this node, sent to the peer; may be repeated")
	f.BoolVarP(&o.Yes, "yes", "y", false, "take all that the link asks for, without a question")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runJoin(ctx context.Context, o *JoinOptions) error {
	link, err := o.consented() // before signals are caught: Ctrl-C ends a question
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	path := o.configPath()
	done, err := join.Join(ctx, join.Options{Link: link, Name: o.wanted(link), Waits: func() {
		fmt.Fprintln(o.Err, "A person at the other node has to agree; this waits, and Ctrl-C leaves it for later with the same link.")
	}, Endpoints: o.Endpoints,
		Init: config.InitSpec{Path: path, Interface: o.iface, Listen: o.Listen}})
	if err != nil {
		return err
	}
	running, err := o.takeUp(ctx)
	if err != nil {
		return err
	}
	defer o.explainHubs(done)
	return o.say(joined{Hubs: hubDIDs(done.Hubs), Listed: listedBy(done), Stamp: control.NewStamp(), DID: done.Self.String(), Peer: done.Peer.DID.String(), Name: done.Peer.Name,
		Address: addressOf(link), AllowedIPs: append([]string{}, done.Peer.AllowedIPs...), Config: path, Running: running, Network: done.Network, Self: done.Called})
}

// wanted is the name that goes with the join: of this node in a network, else of the other
// node here.
func (o *JoinOptions) wanted(l invite.Link) string {
	if o.Name == "" && l.Network != "" {
		return shortHostname()
	}
	return o.Name
}

func hubDIDs(hubs []config.PeerSpec) []string {
	out := []string{}
	for _, h := range hubs {
		out = append(out, h.DID.String())
	}
	return out
}

func listedBy(j *join.Joined) []string {
	out := []string{}
	for _, d := range j.Listed {
		out = append(out, d.String())
	}
	return out
}

// explainHubs says what a hub needs that did not pass the join on: it helps only its own
// peers.
func (o *JoinOptions) explainHubs(j *join.Joined) {
	for _, h := range j.Hubs {
		if slices.Contains(j.Listed, h.DID) {
			fmt.Fprintf(o.Err, "%s helps to reach it.\n", printable(cmp.Or(h.Name, h.DID.String())))
			continue
		}
		fmt.Fprintf(o.Err, "%s helps to reach it once it lists this node: on that host, l2tun peer add %s --name NAME\n", printable(cmp.Or(h.Name, h.DID.String())), j.Self)
	}
}

func addressOf(l invite.Link) string {
	if !l.Address.IsValid() {
		return ""
	}
	return l.Address.String()
}

func (o *JoinOptions) say(j joined) error {
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(j)
	}
	what := "joined " + j.Peer
	if j.Name != "" {
		what = fmt.Sprintf("joined %s (%s)", j.Name, j.Peer)
	}
	if j.Network != "" {
		what = "joined network " + j.Network + o.as(j.Self)
	}
	if len(j.AllowedIPs) > 0 { // the author of the link chose them
		what += "; routes through it: " + strings.Join(j.AllowedIPs, ", ")
	}
	if j.Address != "" {
		what += "; address of this node: " + j.Address
	}
	if !j.Running {
		what += "; start this node with " + upCommand(o.target, j.Config)
	}
	return changed(o.IO, what, j.Running)
}

// as says what this node is called in the network that it has joined.
func (o *JoinOptions) as(name string) string {
	switch {
	case name == "":
		return ""
	case o.Name != "" && o.Name != name:
		return fmt.Sprintf(" as %s (%s was not free; l2tun network rename at the issuer changes it)", name, o.Name)
	}
	return " as " + name
}

// upCommand is how the node of a config is started.
func upCommand(t *target, path string) string {
	return "l2tun up" + t.flag(path)
}

// link takes the argument, or reads until there is a whole link: what was copied
// from a terminal may come in several lines, and who pasted a part is told so. What
// does not begin as one is refused at its first line.
func (o *JoinOptions) link(p *prompt) (invite.Link, error) {
	if o.Text != "" {
		return wrongLink(invite.Parse(o.Text))
	}
	lines := bufio.NewReader(io.LimitReader(o.In, maxPaste))
	if p != nil {
		fmt.Fprint(p.out, "Paste the invitation: ")
		lines = p.lines
	}
	var text strings.Builder
	for asked := false; ; {
		line, err := lines.ReadString('\n')
		text.WriteString(line)
		if l, err := invite.Parse(text.String()); err == nil || !invite.Begins(text.String()) {
			return wrongLink(l, err)
		}
		if err != nil || text.Len() > maxPaste {
			return wrongLink(invite.Parse(text.String()))
		}
		if p != nil && !asked && lines.Buffered() == 0 {
			asked = true
			fmt.Fprint(p.out, "That is not a whole link yet; paste the rest (Ctrl-C gives up): ")
		}
	}
}

// wrongLink turns a malformed link into a usage error (exit code 64).
func wrongLink(l invite.Link, err error) (invite.Link, error) {
	if errors.Is(err, invite.ErrLink) {
		return l, usagef("%s", sentence(err))
	}
	return l, err
}
