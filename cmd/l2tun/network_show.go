package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
	"github.com/libertaria-project/l2tun/internal/app/netstore"
)

// NetworkMembersOptions are the flags of l2tun network members.
type NetworkMembersOptions struct {
	*networkTarget
	JSON bool
}

func newNetworkMembersCmd(o *NetworkMembersOptions, runF func(context.Context, *NetworkMembersOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "members",
		Short: "List the members of a network, with names, addresses and groups",
		Args:  exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runNetworkMembers(ctx context.Context, o *NetworkMembersOptions) error {
	all, err := o.connect().Members(ctx, *o.which)
	if errors.Is(err, control.ErrNotRunning) {
		_, st, e := o.held()
		if err = e; err == nil {
			all = netadmin.Members(st.View())
		}
	}
	if err != nil {
		return err
	}
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(all)
	}
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tADDRESSES\tGROUPS\tUNTIL\tROLE\tDID")
	for _, m := range all {
		until, role := "-", "member"
		if at, err := time.Parse(time.RFC3339, m.Until); err == nil {
			until = at.Local().Format(time.DateOnly)
		}
		if m.Hub {
			role = "hub"
		}
		if m.Admin {
			role = strings.TrimPrefix(role+",admin", "member,")
		}
		fmt.Fprintln(w, strings.Join([]string{dash(m.Name), dash(strings.Join(m.Addresses, ",")), dash(strings.Join(m.Groups, ",")), until, role, printable(m.DID)}, "\t"))
	}
	return w.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

// NetworkLogOptions are the flags of l2tun network log.
type NetworkLogOptions struct {
	*networkTarget
	JSON bool
}

func newNetworkLogCmd(o *NetworkLogOptions, runF func(context.Context, *NetworkLogOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "Show which documents were taken: who signed what, when, and whom it added or removed",
		Args:  exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON, one document a line")
	return c
}

func runNetworkLog(_ context.Context, o *NetworkLogOptions) error {
	n, st, err := o.held()
	if err != nil {
		return err
	}
	all, err := membership.ReadLog(netstore.FolderOf(o.configPath()), n.ID)
	if err != nil {
		return err
	}
	names := make(map[string]string)
	for m := range st.View().Members() {
		names[m.DID.String()] = m.Name
	}
	called := func(dids []string) string {
		out := make([]string, len(dids))
		for i, d := range dids {
			if out[i] = names[d]; out[i] == "" {
				out[i] = d
			}
		}
		return strings.Join(out, ", ")
	}
	for _, e := range all {
		if o.JSON {
			if err := json.NewEncoder(o.Out).Encode(e); err != nil {
				return err
			}
			continue
		}
		what := e.Document
		if e.Serial > 0 {
			what = fmt.Sprintf("%s %d", e.Document, e.Serial)
		}
		for _, c := range []struct {
			word string
			who  []string
		}{{"added", e.Added}, {"removed", e.Removed}, {"changed", e.Altered}} {
			if len(c.who) > 0 {
				what += ", " + c.word + " " + called(c.who)
			}
		}
		fmt.Fprintln(o.Out, printable(fmt.Sprintf("%s  signed by %s: %s  (%s)", e.Time.Local().Format(time.DateTime), called(e.Signers), what, e.Hash[:min(len(e.Hash), 16)])))
	}
	return nil
}
