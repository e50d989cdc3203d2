package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/config"
	"github.com/libertaria-project/l2tun/internal/control"
)

// IDOptions are the flags of l2tun id.
type IDOptions struct {
	IO
	target
	JSON bool
}

func newIDCmd(o *IDOptions, runF func(*IDOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "id",
		Short: "Print this node's DID and overlay address",
		Args:  exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runID(o *IDOptions) error {
	id, err := config.LoadIdentity(o.configPath())
	if err != nil {
		return err
	}
	return printIdentity(o.Out, id.DID(), o.JSON)
}

func printIdentity(w io.Writer, d did.DID, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			control.Stamp
			DID     string `json:"did"`
			Address string `json:"address"`
		}{control.NewStamp(), d.String(), d.Addr().String()})
	}
	_, err := fmt.Fprintf(w, "did:     %s\naddress: %s\n", d, d.Addr())
	return err
}
