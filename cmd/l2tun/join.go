package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/libertaria-project/l2tun/internal/config"
	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/invite"
	"github.com/libertaria-project/l2tun/internal/node"
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
}

func newJoinCmd(o *JoinOptions, runF func(context.Context, *JoinOptions) error) *cobra.Command {
	o.target = &target{}
	c := &cobra.Command{
		Use:   "join [LINK]",
		Short: "Become a peer of the node that made an invitation",
		Long: `Become a peer of the node that made an invitation, and make it one of this node.
Config and key are made if there are none. Without LINK, or with "-", the link is
read from standard input: there other users of this host cannot see it.

Nothing changes at either end unless the other node, proven by its key, says yes.`,
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
	f.StringVar(&o.Name, "name", "", "`NAME` for the other node, in place of its own")
	f.StringVar(&o.Listen, "listen", config.DefaultListen, "`HOST:PORT` to listen on, of a config that is made")
	f.StringArrayVar(&o.Endpoints, "endpoint", nil, "`HOST:PORT` where this node is reached, for the other one; may be repeated")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runJoin(ctx context.Context, o *JoinOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	link, err := o.link()
	if err != nil {
		return err
	}
	path := o.configPath()
	done, err := node.Join(ctx, node.JoinOptions{Link: link, Name: o.Name, Endpoints: o.Endpoints,
		Init: config.InitSpec{Path: path, Interface: o.iface, Listen: o.Listen}})
	if err != nil {
		return err
	}
	running, err := o.takeUp(ctx)
	if err != nil {
		return err
	}
	return o.say(joined{Stamp: control.NewStamp(), DID: done.Self.String(), Peer: done.Peer.DID.String(), Name: done.Peer.Name,
		Address: addressOf(link), AllowedIPs: append([]string{}, done.Peer.AllowedIPs...), Config: path, Running: running})
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
	if len(j.AllowedIPs) > 0 { // whoever made the link chose them
		what += ", which has " + strings.Join(j.AllowedIPs, ", ")
	}
	if j.Address != "" {
		what += "; this node is " + j.Address
	}
	if !j.Running {
		what += "; " + upCommand(o.target, j.Config) + " starts this node"
	}
	return changed(o.IO, what, j.Running)
}

// upCommand is how the node of a config is started.
func upCommand(t *target, path string) string {
	return "l2tun up" + t.flag(path)
}

// link takes the argument, or reads until there is a whole link: what was copied
// from a terminal may come in several lines.
func (o *JoinOptions) link() (invite.Link, error) {
	if o.Text != "" {
		return wrongLink(invite.Parse(o.Text))
	}
	if f, ok := o.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(o.Err, "Paste the invitation: ")
	}
	var text strings.Builder
	lines := bufio.NewScanner(io.LimitReader(o.In, maxPaste))
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if l, err := invite.Parse(text.String()); err == nil {
			return l, nil
		}
	}
	return wrongLink(invite.Parse(text.String()))
}

// wrongLink makes a link that is none a mistake of who typed it.
func wrongLink(l invite.Link, err error) (invite.Link, error) {
	if errors.Is(err, invite.ErrLink) {
		return l, usagef("%s", sentence(err))
	}
	return l, err
}
