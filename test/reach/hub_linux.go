package reach

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/node"
)

const (
	startTime = 20 * time.Second // for a node to answer, and for its session with the hub
	stopTime  = 5 * time.Second  // for a node to end by itself
)

// Options say how nodes are made. Program, Dir and Tag are required.
type Options struct {
	Program string // path of l2tun
	Dir     string // absolute: where the files of nodes are
	Tag     string // begins the names of interfaces: unlike other runs on this machine
	Env     []string
	Flags   []string                // of l2tun up
	Config  string                  // top-level keys for homes
	Shell   func(host, line string) // if set, is told each command as a user would type it
}

func (o Options) node(h *lab.Host, name string, inside netip.Addr) *node.Node {
	n := node.Options{Program: o.Program, Dir: o.Dir, Name: name, Interface: o.Tag + name, Inside: netip.PrefixFrom(inside, 24)}
	if o.Shell != nil {
		n.Shell = func(line string) { o.Shell(name, line) }
	}
	return node.New(h, n)
}

// A Hub is the node that homes have in common.
type Hub struct {
	*node.Node
	at    *nat.Hub
	o     Options
	homes int
}

// NewHub makes a hub for the peers of its config and starts it.
func NewHub(ctx context.Context, n *nat.Internet, o Options) (*Hub, error) {
	h := &Hub{Node: o.node(n.Hub.Host, "hub", netip.AddrFrom4([4]byte{10, 9, 0, 254})), at: n.Hub, o: o}
	if err := h.Init(ctx); err != nil {
		return nil, err
	}
	if o.Shell != nil {
		o.Shell("hub", `sed -i '1i relay = "peers"' hub.toml`)
	}
	if err := h.Prepend("relay = \"peers\"\n"); err != nil {
		return nil, err
	}
	return h, errors.Join(h.Start(node.Launch{Env: o.Env, Flags: o.Flags}), up(ctx, h.Node))
}

// Restart ends the hub's process by SIGTERM, or by SIGKILL, and starts another.
func (h *Hub) Restart(ctx context.Context, kill bool) error {
	if kill {
		if err := h.Kill(); err != nil {
			return err
		}
	} else {
		End(h.Node)
	}
	return errors.Join(h.Start(node.Launch{Env: h.o.Env, Flags: h.o.Flags}), up(ctx, h.Node))
}

// endpoints are where the hub listens.
func (h *Hub) endpoints() (all []string) {
	for _, a := range []netip.Addr{h.at.Addrs6[0], h.at.Addrs4[0]} {
		if a.IsValid() {
			all = append(all, netip.AddrPortFrom(a, node.Port).String())
		}
	}
	return all
}

// A Home is a node behind a NAT, which nobody knows but the hub.
type Home struct {
	*node.Node
	Site  *nat.Site
	Known bool // others are told its address, too, which nothing translates
	hub   *Hub
}

// Home makes a node on a site. It and the hub are peers. Home does not start it.
func (h *Hub) Home(ctx context.Context, s *nat.Site, name string) (*Home, error) {
	h.homes++
	x := &Home{Node: h.o.node(s.Host, name, netip.AddrFrom4([4]byte{10, 9, 0, byte(h.homes)})), Site: s, hub: h}
	if err := x.Init(ctx); err != nil {
		return nil, err
	}
	flags := append(allow(h.Node), "--hub")
	for _, e := range h.endpoints() {
		flags = append(flags, "--endpoint", e)
	}
	return x, errors.Join(x.Prepend(h.o.Config), x.AddPeer(ctx, h.DID, flags...), h.AddPeer(ctx, x.DID, allow(x.Node)...))
}

// allow are the flags with which a peer's name and its address inside are added.
func allow(n *node.Node) []string {
	a := n.Inside.Addr()
	return []string{"--name", n.Name, "--allowed-ip", netip.PrefixFrom(a, a.BitLen()).String()}
}

// Up starts the home and waits for its session with the hub.
func (x *Home) Up(ctx context.Context) error {
	if err := x.Start(node.Launch{Env: x.hub.o.Env, Flags: x.hub.o.Flags}); err != nil {
		return err
	}
	if err := up(ctx, x.Node); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	p, err := x.WaitPeer(ctx, x.hub.DID, established)
	if err != nil {
		return fmt.Errorf("no session with the hub: state %s %s: %w", p.State, p.Reason, err)
	}
	_, err = x.hub.WaitPeer(ctx, x.DID, established)
	return err
}

// Knows tells the home, which may run, of another one: its DID and address inside.
func (x *Home) Knows(ctx context.Context, other *Home) error {
	flags := allow(other.Node)
	if other.Known {
		flags = append(flags, "--endpoint", netip.AddrPortFrom(other.Site.Addr4(), node.Port).String())
	}
	return x.AddPeer(ctx, other.DID, flags...)
}

// Forgotten lets the NATs of the home forget all flows but those to the hub, which the
// session with it keeps.
func (x *Home) Forgotten() (err error) {
	for r := x.Site.Router; r != nil; r = r.Carrier {
		err = errors.Join(err, r.ForgetBut(x.hub.at.Addrs4[0]))
	}
	return err
}

// Forgets takes the other out of the config again.
func (x *Home) Forgets(ctx context.Context, other *Home) error {
	_, err := x.Run(ctx, "peer", "remove", "--config", x.Config, "--socket", x.Socket, other.DID)
	return err
}

// End stops a node, if it runs.
func End(n *node.Node) {
	_ = n.Stop(stopTime) // its error is that it was stopped, or that it does not run
}

// up waits until a node answers.
func up(ctx context.Context, n *node.Node) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return n.Answers(ctx)
}

func established(p control.Peer) bool { return p.State == "established" || p.State == "rotating" }
