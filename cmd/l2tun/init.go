package main

import (
	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
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
		Short: "Create a config file and a key",
		Long: `Create a commented config file and, beside it, the key file of a new identity
(the same name ending in .key). Existing files are never overwritten.`,
		Example: `  l2tun init --address 10.9.0.1/24
  l2tun init -i office --address 10.8.0.1/24 --listen '[::]:4243'`,
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
	f.StringArrayVar(&o.Addresses, "address", nil, "overlay address of this node as `CIDR`, such as 10.9.0.1/24; may be repeated")
	f.StringVar(&o.Listen, "listen", config.DefaultListen, "listen address `HOST:PORT`, UDP and TCP")
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
