package main

import (
	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/config"
)

// InitOptions are the flags of l2tun init.
type InitOptions struct {
	IO
	place
	config.InitSpec
	JSON bool
}

func newInitCmd(o *InitOptions, runF func(*InitOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a config file and, beside it, a new key",
		Long: `Make a commented config file and, beside it, the key file of a new identity
(the same name ending in .key). Nothing is ever overwritten.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Path, o.Interface = o.newPath(), o.iface
			return runF(o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringArrayVar(&o.Addresses, "address", nil, "further address of this node as `CIDR`, such as 10.9.0.1/24; may be repeated")
	f.StringVar(&o.Listen, "listen", config.DefaultListen, "`HOST:PORT` to listen on, UDP and TCP")
	f.BoolVar(&o.JSON, "json", false, "print the identity as JSON")
	return c
}

func runInit(o *InitOptions) error {
	id, err := config.Init(o.InitSpec)
	if err != nil {
		return err
	}
	return printIdentity(o.Out, id.DID(), o.JSON)
}
