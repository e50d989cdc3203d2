package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
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
	Peer       string    `json:"peer"`    // DID of the node that came with it
	Network    string    `json:"network"` // id of the network that it leads into; empty: none
	Left       int       `json:"left"`    // how many more nodes may join
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
			append([]string{}, i.AllowedIPs...), i.Expires.UTC(), i.Claimed, i.Network, i.Left()})
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(o.Out, "no invitations")
		return err
	}
	return tabulate(o.Out, all, time.Now())
}

// tabulate prints one line for each invitation.
func tabulate(w io.Writer, all []invite.Invitation, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tNAME\tADDRESS\tEXPIRES\tJOINED BY")
	for _, i := range all {
		fmt.Fprintln(t, strings.Join([]string{i.ID, i.State(now), cmp.Or(i.Name, "-"), cmp.Or(i.Address, "-"), expires(i.Expires, now), joinedBy(&i)}, "\t"))
	}
	return t.Flush()
}

// joinedBy is the node that came with an invitation, or how many came with one into a
// network.
func joinedBy(i *invite.Invitation) string {
	if i.Network == "" {
		return cmp.Or(i.Claimed, "-")
	}
	return fmt.Sprintf("%d of %d into a network", max(i.Uses, 1)-i.Left(), max(i.Uses, 1))
}

// expires is "in 23h" or when it was.
func expires(at, now time.Time) string {
	if !now.Before(at) {
		return at.Local().Format("2006-01-02 15:04 MST")
	}
	left := at.Sub(now)
	switch {
	case left >= 2*day:
		return fmt.Sprintf("in %d days", left/day)
	case left >= time.Hour:
		return fmt.Sprintf("in %dh", left/time.Hour)
	}
	return fmt.Sprintf("in %dm", left/time.Minute)
}

// InviteRemoveOptions are the argument of l2tun invite remove.
type InviteRemoveOptions struct {
	IO
	*target
	Which string // id or name
}

func newInviteRemoveCmd(o *InviteRemoveOptions, runF func(*InviteRemoveOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID|NAME",
		Aliases: []string{"rm"},
		Short:   "Withdraw an invitation; a node that has joined stays a peer",
		Args:    exactly(1, "one invitation, by id or name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Which = args[0]
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
				if i.Name != "" {
					ids = append(ids, i.Name)
				}
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func runInviteRemove(o *InviteRemoveOptions) error {
	store := invite.NewStore(o.configPath())
	all, err := store.List()
	if err != nil {
		return err
	}
	i, err := which(all, o.Which, time.Now())
	if err != nil {
		return err
	}
	if err := store.Remove(i.ID); err != nil {
		return err
	}
	what := "withdrawn " + i.ID
	if i.Name != "" {
		what += " (" + i.Name + ")"
	}
	_, err = fmt.Fprintln(o.Out, what)
	return err
}

// which finds an invitation by its id, or by its name: the one that is still good,
// or the only one.
func which(all []invite.Invitation, idOrName string, now time.Time) (invite.Invitation, error) {
	var named, good []invite.Invitation
	for _, i := range all {
		switch {
		case i.ID == idOrName:
			return i, nil
		case i.Name == "" || i.Name != idOrName:
			continue
		}
		named = append(named, i)
		if s := i.State(now); s == "open" || s == "claimed" {
			good = append(good, i)
		}
	}
	switch {
	case len(good) == 1:
		return good[0], nil
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		var ids []string
		for _, i := range named {
			ids = append(ids, i.ID)
		}
		return invite.Invitation{}, usagef("there are %d invitations for %q: %s; say which by its id", len(named), idOrName, strings.Join(ids, ", "))
	}
	return invite.Invitation{}, usagef("there is no invitation %q; l2tun invite list shows them", idOrName)
}
