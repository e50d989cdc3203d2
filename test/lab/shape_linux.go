package lab

import (
	"errors"
	"net/netip"
)

// A Shape says what network to lay. The zero Shape is a pair:
//
//	A ── B                    Shape{}
//	A ── R ── B               Shape{Routed: true}
//	     └─── C               ... C: true
//	          B ── Stub       ... Stub: true: a host behind B, which forwards
//
// Only B has a route to Stub: others reach it through a tunnel to B. Hosts
// have their default routes through R, Stub through B.
type Shape struct {
	Routed, C, Stub bool
	MTU             int // of every cable, 0 means 1500
}

// A Net is a lab with the hosts and cables of a Shape; those that the shape
// does not have are nil. Unplugging a cable leaves end A's host without a
// carrier: A, B, C or Stub, and A in a pair.
type Net struct {
	*Lab
	A, R, B, C, Stub                    *Host
	CableA, CableB, CableC, CableToStub *Cable // a pair has CableA only
}

// Lay makes a lab of the shape.
func Lay(name string, s Shape) (*Net, error) {
	l, err := New(name)
	if err != nil {
		return nil, err
	}
	n := &Net{Lab: l}
	if err := n.lay(s); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return n, nil
}

func (n *Net) lay(s Shape) error {
	if s.C && !s.Routed {
		return errors.New("lab: a host C needs a router")
	}
	if err := n.addHosts(s); err != nil {
		return err
	}
	var err error
	if !s.Routed {
		n.CableA, err = n.Connect(n.A, n.B, s.MTU)
	} else {
		err = n.layRouter(s)
	}
	if err == nil && s.Stub {
		err = errors.Join(n.B.Forward(true), n.attach(&n.CableToStub, n.Stub, n.B, s.MTU))
	}
	return err
}

// addHosts makes the hosts that the shape asks for.
func (n *Net) addHosts(s Shape) (err error) {
	for _, want := range []struct {
		name string
		host **Host
		make bool
	}{{"A", &n.A, true}, {"B", &n.B, true}, {"R", &n.R, s.Routed}, {"C", &n.C, s.C}, {"Stub", &n.Stub, s.Stub}} {
		if !want.make {
			continue
		}
		if *want.host, err = n.Host(want.name); err != nil {
			return err
		}
	}
	return nil
}

// layRouter attaches the outer hosts to R.
func (n *Net) layRouter(s Shape) error {
	err := errors.Join(n.R.Forward(true),
		n.attach(&n.CableA, n.A, n.R, s.MTU),
		n.attach(&n.CableB, n.B, n.R, s.MTU))
	if err == nil && s.C {
		err = n.attach(&n.CableC, n.C, n.R, s.MTU)
	}
	return err
}

// attach connects a host to its router and gives it default routes.
func (n *Net) attach(c **Cable, h, router *Host, mtu int) (err error) {
	if *c, err = n.Connect(h, router, mtu); err != nil {
		return err
	}
	gw := (*c).B
	return errors.Join(
		h.Route(netip.MustParsePrefix("0.0.0.0/0"), gw.IP4.Addr(), 0),
		h.Route(netip.MustParsePrefix("::/0"), gw.IP6.Addr(), 0))
}
