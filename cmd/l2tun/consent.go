package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/hosts"
	"github.com/libertaria-project/l2tun/internal/app/invite"
)

// errDeclined is a person's no.
var errDeclined = errors.New("not joined; nothing has changed")

// consented is the link that the command is about, once somebody who may has agreed
// to what it asks for.
func (o *JoinOptions) consented() (invite.Link, error) {
	p := o.prompt()
	l, err := o.link(p)
	if err != nil {
		return l, err
	}
	machine, err := invite.Machine(o.tunnel())
	if err != nil {
		return l, err
	}
	if err := l.Refuse(machine); err != nil {
		return l, err
	}
	doubts, name := l.Doubts(machine), o.nameDoubt(l, hosts.File)
	switch {
	case o.Yes:
		return l, nil
	case p != nil:
		fmt.Fprint(p.out, asks(l, doubts, name))
		yes, err := p.yes("Join?")
		if err == nil && !yes {
			err = errDeclined
		}
		return l, err
	case len(doubts) > 0:
		return l, doubtful(doubts)
	case name != "":
		return l, usagef("the link calls the peer %s: %s; choose another with --name, or add --yes to accept", l.Name, name)
	}
	return l, nil
}

// nameDoubt is what speaks against the name in a link: where names of peers are kept
// in a file of host names, one with a dot would take the place of a host of the
// Internet, for every program of this host.
func (o *JoinOptions) nameDoubt(l invite.Link, file string) string {
	if name, ok := hosts.Name(l.Name); o.Name != "" || !ok || !strings.Contains(name, ".") || !hosts.Written(o.block()).Has(file) {
		return ""
	}
	return "every program here would reach the peer by that name, by " + file
}

// tunnel is the interface of the node that joins.
func (o *JoinOptions) tunnel() string {
	if c, err := config.Load(o.configPath()); err == nil {
		return c.Interface
	}
	if o.iface != "" {
		return o.iface
	}
	return config.DefaultInterface
}

// asks is what a link asks for, for people.
func asks(l invite.Link, doubts []invite.Doubt, name string) string {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "  %-12s %s\n", name, printable(value)) }
	if l.Network != "" {
		fmt.Fprintf(&b, "This invitation makes this node a member of network %s, by the following node:\n", printable(l.Called))
	} else {
		b.WriteString("This invitation makes the following node a peer of this one:\n")
	}
	if l.Name != "" {
		if name != "" {
			name = "   <- " + name
		}
		field("name", l.Name+name)
	}
	field("DID", l.DID.String())
	for _, e := range l.Endpoints {
		field("endpoint", e)
	}
	for _, h := range l.Hubs {
		field("hub", strings.TrimSpace(h.Name+" "+h.DID.String())+" at "+strings.Join(h.Endpoints, ", ")+", helps to reach it")
	}
	if l.Address.IsValid() {
		field("address", l.Address.String()+" for this node"+mark(doubts, l.Address.Masked().String()))
	}
	for _, p := range l.Allowed {
		field("route", p.String()+" through the peer"+mark(doubts, p.String()))
	}
	return b.String()
}

func mark(doubts []invite.Doubt, prefix string) string {
	for _, d := range doubts {
		if d.Prefix.String() == prefix {
			return "   <- " + d.Why
		}
	}
	return ""
}

// doubtful is the sentence where nobody can be asked.
func doubtful(doubts []invite.Doubt) error {
	first := fmt.Sprintf("%s (%s)", doubts[0].Prefix, doubts[0].Why)
	if len(doubts) > 1 {
		first += fmt.Sprintf(" and %d more", len(doubts)-1)
	}
	return usagef("the link asks for %s: check it, and add --yes to accept", first)
}
