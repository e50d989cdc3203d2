package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/config"
	"github.com/libertaria-project/l2tun/internal/invite"
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
	doubts := l.Doubts(machine)
	switch {
	case o.Yes:
		return l, nil
	case p != nil:
		fmt.Fprint(p.out, asks(l, doubts))
		yes, err := p.yes("Join?")
		if err == nil && !yes {
			err = errDeclined
		}
		return l, err
	case len(doubts) > 0:
		return l, doubtful(doubts)
	}
	return l, nil
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
func asks(l invite.Link, doubts []invite.Doubt) string {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "  %-12s %s\n", name, printable(value)) }
	b.WriteString("This invitation makes the following node a peer of this one:\n")
	if l.Name != "" {
		field("name", l.Name)
	}
	field("DID", l.DID.String())
	for _, e := range l.Endpoints {
		field("endpoint", e)
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
