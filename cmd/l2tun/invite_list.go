package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/invite"
)

// InviteListOptions are the flags of l2tun invite list.
type InviteListOptions struct {
	IO
	*target
	JSON bool
}

// listedInvitation is an invitation without its link, which nobody keeps.
type listedInvitation struct {
	control.Stamp
	ID         string    `json:"id"`
	State      string    `json:"state"` // open, claimed, used or expired
	Name       string    `json:"name"`
	Address    string    `json:"address"`
	AllowedIPs []string  `json:"allowed_ips"`
	Expires    time.Time `json:"expires"`
	Peer       string    `json:"peer"` // DID of the node that came with it
}

func newInviteListCmd(o *InviteListOptions, runF func(*InviteListOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the invitations of the last seven days",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(o)
		},
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runInviteList(o *InviteListOptions) error {
	all, err := invite.NewStore(o.configPath()).List()
	if err != nil {
		return err
	}
	list := []listedInvitation{}
	for _, i := range all {
		list = append(list, listedInvitation{control.NewStamp(), i.ID, i.State(time.Now()), i.Name, i.Address,
			append([]string{}, i.AllowedIPs...), i.Expires.UTC(), i.Claimed})
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	for n, i := range list {
		if n > 0 {
			fmt.Fprintln(o.Out)
		}
		p := newPrinter(o.IO)
		p.head("invitation", p.yellow, i.ID)
		p.field("state", i.State)
		p.field("for", i.Name)
		p.field("address", i.Address)
		p.field("expires", i.Expires.Local().Format("2006-01-02 15:04"))
		p.field("joined by", i.Peer)
	}
	return nil
}

// InviteRemoveOptions are the argument of l2tun invite remove.
type InviteRemoveOptions struct {
	IO
	*target
	ID string
}

func newInviteRemoveCmd(o *InviteRemoveOptions, runF func(*InviteRemoveOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Aliases: []string{"rm"},
		Short:   "Withdraw an invitation; who has joined by it stays a peer",
		Args:    exactly(1, "one invitation's id"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.ID = args[0]
			return runF(o)
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 || o.note(c) != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			all, _ := invite.NewStore(o.configPath()).List()
			var ids []string
			for _, i := range all {
				ids = append(ids, i.ID)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func runInviteRemove(o *InviteRemoveOptions) error {
	err := invite.NewStore(o.configPath()).Remove(o.ID)
	if errors.Is(err, invite.ErrUnknown) {
		return usagef("there is no invitation %q; l2tun invite list shows them", o.ID)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.Out, "withdrawn "+o.ID)
	return err
}
