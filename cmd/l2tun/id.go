package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
)

// IDOptions are the flags of l2tun id.
type IDOptions struct {
	IO
	target
	JSON bool
	New  bool
}

func newIDCmd(o *IDOptions, runF func(context.Context, *IDOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "id",
		Short: "Print this node's DID and overlay address",
		Long: `Print this node's DID and overlay address.

With --new the node gets another key, and so another DID and overlay address. The
old key file stays beside the new one under another name. The command says what
to do at the peers, which know this node by its DID.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	c.Flags().BoolVar(&o.New, "new", false, "make a new key; the old one is kept aside")
	return c
}

// identity is what --json prints.
type identity struct {
	control.Stamp
	DID     string `json:"did"`
	Address string `json:"address"`
}

// replaced is what --new --json prints.
type replaced struct {
	identity
	OldDID string `json:"old_did"` // "" if there was no key that could be read
	OldKey string `json:"old_key"` // where it is kept; "" if there was none
}

func identityOf(d did.DID) identity {
	return identity{control.NewStamp(), d.String(), d.Addr().String()}
}

func runID(ctx context.Context, o *IDOptions) error {
	if o.New {
		return o.replace(ctx)
	}
	id, err := config.LoadIdentity(o.configPath())
	if err != nil {
		return err
	}
	return printIdentity(o.Out, id.DID(), o.JSON)
}

func printIdentity(w io.Writer, d did.DID, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(identityOf(d))
	}
	_, err := fmt.Fprintf(w, "did:     %s\naddress: %s\n", d, d.Addr())
	return err
}

// replace gives the node another key.
func (o *IDOptions) replace(ctx context.Context) error {
	path := o.configPath()
	r := replaced{}
	if old, err := config.LoadIdentity(path); err == nil {
		r.OldDID = old.DID().String()
	}
	id, kept, err := config.NewIdentity(path)
	if err != nil {
		return err
	}
	r.identity, r.OldKey = identityOf(id.DID()), kept
	withdrawn, err := invite.NewStore(path).RemoveOpen(time.Now()) // they are for the old DID, and hold names and addresses
	if err != nil {
		return fmt.Errorf("the new key is in place, and the open invitations of the old one could not be withdrawn (l2tun invite list%s): %w", o.flagOf(), err)
	}
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(r)
	}
	if err := printIdentity(o.Out, id.DID(), false); err != nil {
		return err
	}
	return o.explainNew(ctx, &r, withdrawn)
}

// explainNew says what is to be done for the new key to be of use.
func (o *IDOptions) explainNew(ctx context.Context, r *replaced, withdrawn []invite.Invitation) error {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	if r.OldKey != "" {
		fmt.Fprintf(o.Err, "The old key is kept in %s; anybody who has it is the old node.\n", r.OldKey)
	}
	if s, err := o.connect().Status(ctx); err == nil && s.DID != r.DID {
		fmt.Fprintf(o.Err, "The running node has the old key until it is restarted: l2tun down%s, then l2tun up%s.\n", o.flagOf(), o.upFlag())
	}
	if r.OldDID != "" {
		fmt.Fprintf(o.Err, "On each peer run: l2tun peer set %s --did %s\n", r.OldDID, r.DID)
	} else {
		fmt.Fprintf(o.Err, "On each peer that knew this node run: l2tun peer set NAME --did %s, with the name that the peer has for it\n", r.DID)
	}
	for _, i := range withdrawn {
		fmt.Fprintf(o.Err, "Invitation %s (%s) was of the old key and is withdrawn; make another one.\n", i.ID, cmp.Or(i.Name, i.Address, "a node"))
	}
	return nil
}
