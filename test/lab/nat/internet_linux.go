package nat

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A Shape is two sites on an Internet.
type Shape struct {
	A, B     Kind
	Delay    time.Duration // each way between a site and the core; needs lab.TUN
	IPv4Only bool
}

// TwoHomes is a shape without delay.
func TwoHomes(a, b Kind) Shape { return Shape{A: a, B: b} }

// A Net is an Internet with the two sites of a Shape.
type Net struct {
	*Internet
	A, B *Site
}

// Lay makes the network of a shape.
func Lay(name string, s Shape) (*Net, error) {
	l, err := lab.New(name)
	if err != nil {
		return nil, err
	}
	n := &Net{Internet: &Internet{Lab: l, delay: s.Delay, ipv4Only: s.IPv4Only, carriers: make(map[Kind]*Router)}}
	err = n.layCore()
	if err == nil {
		n.A, err = n.Site("A", s.A)
	}
	if err == nil {
		n.B, err = n.Site("B", s.B)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return n, nil
}

// Use requires what the shape needs, lays it, and closes it after the test.
func Use(t lab.TB, s Shape, needs ...string) *Net {
	t.Helper()
	needs = append(needs, "nft")
	if s.Delay > 0 {
		needs = append(needs, lab.TUN)
	}
	lab.Require(t, needs...)
	n, err := Lay("nat", s)
	if err != nil {
		t.Fatalf("lay the lab: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return n
}

// An Internet is a core router with a hub. One goroutine at a time adds sites
// to it and moves them.
type Internet struct {
	*lab.Lab
	Core *lab.Host
	Hub  *Hub

	delay    time.Duration
	ipv4Only bool
	links    int
	carriers map[Kind]*Router // those that all sites of a kind share
}

// A Hub is a host that everybody reaches, with two addresses of each family.
type Hub struct {
	*lab.Host
	Addrs4, Addrs6 [2]netip.Addr
	Cable          *lab.Cable // to the core
}

// hubLink numbers the hub's addresses; sites count from 1.
const hubLink = 255

var (
	everywhere4 = netip.MustParsePrefix("0.0.0.0/0")
	everywhere6 = netip.MustParsePrefix("::/0")
)

// layCore makes the core and the hub.
func (n *Internet) layCore() (err error) {
	if n.Core, err = n.Host("core"); err != nil {
		return err
	}
	if err = n.Core.Forward(true); err != nil {
		return err
	}
	h, err := n.Host("hub")
	if err != nil {
		return err
	}
	at := n.families(wan(hubLink))
	n.Hub = &Hub{Host: h, Addrs4: [2]netip.Addr{at.A4.Addr(), at.A4.Addr().Next()}}
	if n.Hub.Cable, err = n.join(h, n.Core, at); err != nil {
		return err
	}
	err = h.AddAddr("eth0", netip.PrefixFrom(n.Hub.Addrs4[1], at.A4.Bits()))
	if !n.ipv4Only {
		n.Hub.Addrs6 = [2]netip.Addr{at.A6.Addr(), at.A6.Addr().Next()}
		err = errors.Join(err, h.AddAddr("eth0", netip.PrefixFrom(n.Hub.Addrs6[1], at.A6.Bits())))
	}
	return err
}

// families drops the IPv6 addresses where there is no IPv6.
func (n *Internet) families(at lab.Addresses) lab.Addresses {
	if n.ipv4Only {
		return without6(at)
	}
	return at
}

// join lays a cable and gives its end A default routes through end B.
func (n *Internet) join(a, b *lab.Host, at lab.Addresses) (*lab.Cable, error) {
	c, err := n.ConnectAs(a, b, 0, at)
	if err != nil {
		return nil, err
	}
	return c, defaultRoutes(c)
}

// uplink is join to the core, by way of the delay if there is one.
func (n *Internet) uplink(r *lab.Host, at lab.Addresses) error {
	if n.delay == 0 {
		_, err := n.join(r, n.Core, at)
		return err
	}
	relay, err := n.RelayIPAs(r, n.Core, at, uint64(n.links))
	if err != nil {
		return err
	}
	relay.Set(lab.Both, lab.Disturbance{Delay: n.delay})
	return defaultRoutes(relay.Cable)
}

func defaultRoutes(c *lab.Cable) error {
	err := c.A.Host.Route(everywhere4, c.B.IP4.Addr(), 0)
	if c.B.IP6.IsValid() {
		err = errors.Join(err, c.A.Host.Route(everywhere6, c.B.IP6.Addr(), 0))
	}
	return err
}

// router adds a router with its link to the core or to its carrier, which has
// the number n.links.
func (n *Internet) router(name string, f form, carrier *Router) (*Router, error) {
	if n.links++; n.links == hubLink {
		return nil, errors.New("nat: too many links")
	}
	h, err := n.Host(name)
	if err != nil {
		return nil, err
	}
	at := n.families(wan(n.links))
	if carrier == nil {
		err = n.uplink(h, at)
	} else {
		at = n.families(customer(n.links))
		_, err = n.join(h, carrier.Host, at)
	}
	r := &Router{Host: h, Carrier: carrier, rules: ruleset{form: f, dev: outside, address: at.A4.Addr(), lifetime: defaultLifetime}}
	if err == nil {
		err = errors.Join(h.Forward(true), r.apply())
	}
	if err != nil {
		return nil, fmt.Errorf("nat: router %s: %w", name, err)
	}
	return r, nil
}

// carrier adds the carrier of a kind, or finds it if its sites share one.
func (n *Internet) carrier(name string, k Kind, f form) (*Router, error) {
	if r := n.carriers[k]; r != nil {
		return r, nil
	}
	r, err := n.router(name+"-carrier", f, nil)
	if err == nil && k.sharesCarrier() {
		n.carriers[k] = r
	}
	return r, err
}
