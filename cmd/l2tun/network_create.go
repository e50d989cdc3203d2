package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
	"github.com/libertaria-project/l2tun/network"
)

// NetworkCreateOptions are the flags and the argument of l2tun network create.
type NetworkCreateOptions struct {
	IO
	*target
	Name   string // of the network
	Prefix string
	Self   string
	NoHub  bool
	JSON   bool
}

// created is what --json prints.
type created struct {
	control.Stamp
	Name     string `json:"name"`
	ID       string `json:"id"`
	Prefix   string `json:"prefix"`
	Self     string `json:"self"`     // this node's name
	Address  string `json:"address"`  // this node's
	Hub      bool   `json:"hub"`      // this node is one
	Recovery string `json:"recovery"` // the line to keep: shown once, stored nowhere
	Running  bool   `json:"running"`
}

func newNetworkCreateCmd(o *NetworkCreateOptions, runF func(context.Context, *NetworkCreateOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a network, with this node as its first member, admin and issuer",
		Long: `Make a network on a node that "l2tun init" has made. This node may change the
network (admin) and invite members (issuer) with its own key.

A second admin is made beside it, the recovery key: a line that is printed once and
stored nowhere. Print it, or write it down. With it the network can be brought back
when this machine is lost (l2tun network sign --key), and whoever has it can change
the network: keep it as you keep a key to your house.

This node is a hub too, by which members meet and hear of changes; it needs an address
that members reach. --no-hub leaves that to another member.`,
		Example: `  l2tun network create home
  l2tun network create office --prefix 10.20.0.0/16 --config /etc/l2tun/office.toml`,
		Args: exactly(1, "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Name = args[0]
			return runF(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Prefix, "prefix", "", "addresses of the members, as `CIDR` (default a free /16 of 10.0.0.0/8)")
	f.StringVar(&o.Self, "name", "", "`NAME` of this node in the network (default this host's name)")
	f.BoolVar(&o.NoHub, "no-hub", false, "do not make this node a hub")
	f.BoolVar(&o.JSON, "json", false, "print JSON, with the recovery key in it")
	return c
}

func runNetworkCreate(ctx context.Context, o *NetworkCreateOptions) error {
	path := o.configPath()
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	id, err := config.LoadIdentity(path)
	if err != nil {
		return err
	}
	f, err := o.founding(c)
	if err != nil {
		return err
	}
	seed := make([]byte, did.SeedSize)
	rand.Read(seed)
	recovery, err := did.NewIdentity(seed)
	if err != nil {
		return err
	}
	f.Recovery = recovery.DID()
	now := time.Now()
	st, docs, err := netadmin.Create(f, id, now)
	if err != nil {
		return usagef("%s", refusalText(err))
	}
	if err := (netadmin.Offline{Config: path}).Keep(st, docs, now); err != nil {
		return err
	}
	if _, err := config.AddNetwork(path, config.Network{ID: st.ID(), Name: o.Name}); err != nil {
		return errors.Join(err, netadmin.Offline{Config: path}.Forget(st.ID()))
	}
	relays := false
	if f.Hub {
		if relays, err = config.LetRelay(path); err != nil {
			return err
		}
	}
	running, err := o.takeUp(ctx)
	if err != nil {
		return err
	}
	me, _ := st.View().Member(id.DID())
	done := created{control.NewStamp(), o.Name, st.ID().String(), f.Prefix.String(), me.Name, me.Addrs[0].String(), f.Hub, did.KeyLine(seed), running}
	return o.say(done, f, relays)
}

// notePublic says what a network of public addresses takes: members take none that their
// config does not accept (spec/network.md 10.7).
func notePublic(o IO, p netip.Prefix) {
	if config.IsPublic(p) {
		fmt.Fprintf(o.Err, "Note: %s has public addresses. Each node, this one too, uses them only once its config accepts them: accept_routes = [\"%s\"] in [[network]].\n", p, p)
	}
}

// founding is what was asked for, checked against this machine.
func (o *NetworkCreateOptions) founding(c *config.Config) (f netadmin.Founding, err error) {
	if err := network.CheckName(o.Name); err != nil {
		return f, usagef("%q cannot be the name of a network: %v", o.Name, err)
	}
	if c.Network(o.Name) != nil {
		return f, usagef("this node is in a network %s already", o.Name)
	}
	f = netadmin.Founding{Name: o.Name, Self: o.Self, Hub: !o.NoHub}
	if f.Self == "" {
		f.Self = shortHostname()
	} else if err := network.CheckName(f.Self); err != nil {
		return f, usagef("--name %s: %v", f.Self, err)
	}
	used, err := o.used(c)
	if err != nil {
		return f, err
	}
	if o.Prefix == "" {
		f.Prefix, err = netadmin.FreePrefix(used)
		return f, err
	}
	if f.Prefix, err = netip.ParsePrefix(o.Prefix); err != nil || f.Prefix != f.Prefix.Masked() {
		return f, usagef("--prefix: %q is not a network, such as 10.20.0.0/16", o.Prefix)
	}
	if f.Prefix.Addr().BitLen()-f.Prefix.Bits() < minHostBits {
		return f, usagef("--prefix %s is too small for a network: choose a /%d or a larger one", f.Prefix, f.Prefix.Addr().BitLen()-minHostBits)
	}
	for _, u := range used {
		if u.Overlaps(f.Prefix) {
			return f, usagef("--prefix %s: this machine or its config has %s already", f.Prefix, u)
		}
	}
	return f, nil
}

// minHostBits is the length of the part of an address that tells members apart, at least:
// in fewer IPv4 has no two addresses that hosts can use.
const minHostBits = 2

// used are the networks of this machine and of its config, and what issuers of the networks
// that this node is in give to members: its own interface is not looked at, as it may be down.
func (o *NetworkCreateOptions) used(c *config.Config) ([]netip.Prefix, error) {
	used, err := usedHere(c)
	for _, n := range c.Networks {
		st, failed := netadmin.Offline{Config: o.configPath()}.Open(n.ID)
		if err = errors.Join(err, failed); err != nil {
			return nil, err
		}
		if h := st.View().Head(); h != nil {
			for _, i := range h.Issuers {
				if i.Prefix.IsValid() {
					used = append(used, i.Prefix)
				}
			}
		}
	}
	return used, err
}

// usedHere are the networks of this machine and of its config.
func usedHere(c *config.Config) (used []netip.Prefix, err error) {
	machine, err := invite.Machine(c.Interface)
	if err != nil {
		return nil, err
	}
	for _, n := range machine {
		used = append(used, n.Prefix.Masked())
	}
	for _, a := range c.Addresses {
		used = append(used, a.Masked())
	}
	used = append(used, c.Routes...)
	for _, p := range c.Peers {
		used = append(used, p.AllowedIPs...)
	}
	return used, nil
}

func (o *NetworkCreateOptions) say(d created, f netadmin.Founding, relays bool) error {
	if o.JSON {
		notePublic(o.IO, f.Prefix)
		return json.NewEncoder(o.Out).Encode(d)
	}
	fmt.Fprintf(o.Out, "created network %s (%s)\nthis node is %s, %s in %s\n\nrecovery key, shown once; keep it off this machine:\n\n  %s\n\n", d.Name, d.ID, d.Self, d.Address, d.Prefix, d.Recovery)
	notePublic(o.IO, f.Prefix)
	switch {
	case d.Hub && !relays:
		fmt.Fprintln(o.Err, `This node is a hub, but relay in its config does not let members' packets pass: relay = "network" does.`)
	case !d.Hub:
		fmt.Fprintln(o.Err, "There is no hub: members meet only where they find each other on a LAN. l2tun network hub add MEMBER makes one.")
	}
	if !d.Running {
		fmt.Fprintf(o.Err, "Start this node with %s, then invite: l2tun network invite%s\n", upCommand(o.target, o.configPath()), o.flag(o.configPath()))
	}
	return nil
}
