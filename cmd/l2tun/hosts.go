package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hosts"
)

// HostsOptions are the flags of l2tun hosts.
type HostsOptions struct {
	IO
	target
	File   string
	Write  bool
	Remove bool
	JSON   bool
}

// namedHost is what --json prints.
type namedHost struct {
	control.Stamp
	Name    string `json:"name"`
	Address string `json:"address"`
}

func newHostsCmd(o *HostsOptions, runF func(context.Context, *HostsOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "hosts",
		Short: "Print the names and overlay addresses of the peers for /etc/hosts",
		Long: `Print the names and overlay addresses of the peers in the config, as lines for
/etc/hosts. With --write they are put into that file, in a marked block for this
node; what else is in the file stays. As long as the block is there, peer add,
set, remove and join keep it up to date. --remove takes it out.

Peers whose name cannot be a host name are left out, and said.`,
		Example: `  l2tun hosts
  l2tun hosts --write && ssh nas
  l2tun hosts --remove`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if o.Write && o.Remove {
				return usagef("--write or --remove, not both")
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.BoolVar(&o.Write, "write", false, "write the lines into the file")
	f.BoolVar(&o.Remove, "remove", false, "remove the lines from the file")
	f.StringVar(&o.File, "file", hosts.File, "`FILE` to write or remove them")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runHosts(_ context.Context, o *HostsOptions) error {
	if o.Remove {
		changed, err := hosts.Written(o.block()).Remove(o.File)
		return o.say(changed, err, "removed from ", "were not in ")
	}
	c, err := config.Load(o.configPath())
	if err != nil {
		return err
	}
	entries := entriesOf(c, o.Err)
	switch {
	case o.Write:
		changed, err := hosts.Written(o.block()).Write(o.File, entries)
		return o.say(changed, err, "written to ", "are up to date in ")
	case o.JSON:
		list := []namedHost{}
		for _, e := range entries {
			list = append(list, namedHost{control.NewStamp(), e.Name, e.Address})
		}
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	_, err = io.WriteString(o.Out, hosts.Lines(entries))
	return err
}

func (o *HostsOptions) say(changed bool, err error, did, not string) error {
	if err != nil {
		return err
	}
	if !changed {
		did = not
	}
	_, err = fmt.Fprintf(o.Out, "the names of the peers %s%s\n", did, o.File)
	return err
}

// block names the block of the node that is meant.
func (t *target) block() string { return config.InterfaceOf(t.configPath()) }

// entriesOf are the overlay addresses of a config's peers, IPv4 first, with the
// names that can be host names; the others are said to out.
func entriesOf(c *config.Config, out io.Writer) (entries []hosts.Entry) {
	for i := range c.Peers {
		p := &c.Peers[i]
		name, ok := hosts.Name(p.Name)
		if !ok {
			if p.Name != "" {
				fmt.Fprintf(out, "l2tun: %q is not a host name and is left out\n", p.Name)
			}
			continue
		}
		var v6 []hosts.Entry
		for _, prefix := range p.AllowedIPs {
			e := hosts.Entry{Address: prefix.Addr().String(), Name: name}
			switch {
			case !prefix.IsSingleIP():
			case prefix.Addr().Is4():
				entries = append(entries, e)
			default:
				v6 = append(v6, e)
			}
		}
		entries = append(entries, v6...)
	}
	return entries
}

// refreshHosts brings the block in /etc/hosts up to date after a change of the
// config, if there is one.
func (t *target) refreshHosts(file string) error {
	block := hosts.Written(t.block())
	if !block.Has(file) {
		return nil
	}
	c, err := config.Load(t.configPath())
	if err != nil {
		return err
	}
	_, err = block.Write(file, entriesOf(c, io.Discard))
	return err
}
