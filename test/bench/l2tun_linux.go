package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/node"
)

// startL2tun makes two nodes that know each other and may use one carrier, or all,
// and returns when both do. All else is as l2tun init writes it.
func (b *bench) startL2tun(ctx context.Context, t *tunnel, c contender, w way) error {
	dir, err := os.MkdirTemp(b.net.Dir(), c.kind+"-")
	if err != nil {
		return err
	}
	nodeA, err := b.l2tunNode(ctx, c, w, node.Options{Name: w.a.Name, Interface: "l2bench", Inside: inside(insideA)}, w.a, dir)
	if err != nil {
		return err
	}
	nodeB, err := b.l2tunNode(ctx, c, w, node.Options{Name: w.b.Name, Interface: "l2bench", Inside: inside(insideB)}, w.b, dir)
	if err != nil {
		return err
	}
	err = errors.Join(
		nodeA.AddPeer(ctx, nodeB.DID, "--name", w.b.Name, "--allowed-ip", insideB+"/32", "--endpoint", fmt.Sprintf("%s:%d", w.ipB, node.Port)),
		nodeB.AddPeer(ctx, nodeA.DID, "--name", w.a.Name, "--allowed-ip", insideA+"/32"))
	for _, n := range []*node.Node{nodeB, nodeA} {
		if err == nil {
			err = b.upL2tun(t, c, n)
		}
	}
	if err != nil {
		return err
	}
	t.a, t.b = nodeA, nodeB
	best := c.carriers()[0]
	return errors.Join(ready(ctx, nodeA, nodeB.DID, best), ready(ctx, nodeB, nodeA.DID, best))
}

// inside is an address in the network of the tunnel.
func inside(a string) netip.Prefix { return netip.PrefixFrom(netip.MustParseAddr(a), 24) }

// l2tunNode makes a node that is named and placed by o.
func (b *bench) l2tunNode(ctx context.Context, c contender, w way, o node.Options, h *lab.Host, dir string) (*node.Node, error) {
	o.Program, o.Dir = filepath.Join(b.o.Programs, "l2tun"), dir
	n := node.New(h, o)
	n.Log = b.logOf(c, h)
	if err := n.Init(ctx); err != nil {
		return nil, err
	}
	// Beside the slow way lies a fast one, where the nodes must not find each other.
	top := ""
	if c.kind != whole {
		top += fmt.Sprintf("carriers = [\"%s\"]\n", strings.Join(c.carriers(), `", "`))
	}
	if w.slow {
		top += "discovery = []\n"
	}
	return n, n.Prepend(top)
}

func (b *bench) upL2tun(t *tunnel, c contender, n *node.Node) error {
	var env []string
	if c.procs != 0 {
		env = append(env, "GOMAXPROCS="+strconv.Itoa(c.procs))
	}
	if err := n.Start(node.Launch{Env: env}); err != nil {
		return err
	}
	t.daemons = append(t.daemons, n.Cmd)
	return nil
}

// ready waits until the session is established and uses the carrier.
func ready(ctx context.Context, n *node.Node, peer, carrier string) error {
	err := n.Answers(ctx)
	if err != nil {
		return err
	}
	p, err := n.WaitPeer(ctx, peer, func(p control.Peer) bool { return p.State == "established" && p.Carrier == carrier })
	if err != nil {
		return fmt.Errorf("l2tun is not established on %s within %v: state %s %s, carrier %q: %w", carrier, startTime, p.State, p.Reason, p.Carrier, err)
	}
	return nil
}
