package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

const l2tunPort = 4242

// startL2tun makes two nodes that know each other and may use one carrier, or all,
// and returns when both do. All else is as l2tun init writes it.
func (b *bench) startL2tun(ctx context.Context, t *tunnel, c contender, w way) error {
	dir, err := os.MkdirTemp(b.net.Dir(), c.kind+"-")
	if err != nil {
		return err
	}
	nodeA, err := b.l2tunNode(ctx, c, w, w.a, dir, insideA)
	if err != nil {
		return err
	}
	nodeB, err := b.l2tunNode(ctx, c, w, w.b, dir, insideB)
	if err != nil {
		return err
	}
	err = errors.Join(
		nodeA.knows(ctx, nodeB, insideB, "--endpoint", fmt.Sprintf("%s:%d", w.ipB, l2tunPort)),
		nodeB.knows(ctx, nodeA, insideA))
	for _, n := range []*l2tunNode{nodeB, nodeA} {
		if err == nil {
			err = b.run(t, c, n.host, nil, "l2tun", "up", "--config", n.config, "--socket", n.socket)
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(nodeA.ready(ctx, c.kind), nodeB.ready(ctx, c.kind))
}

// An l2tunNode is a config and its key.
type l2tunNode struct {
	b              *bench
	host           *lab.Host
	config, socket string
	did            string
}

func (b *bench) l2tunNode(ctx context.Context, c contender, w way, h *lab.Host, dir, inside string) (*l2tunNode, error) {
	n := &l2tunNode{b: b, host: h, config: filepath.Join(dir, h.Name+".toml"), socket: filepath.Join(dir, h.Name+".sock")}
	out, err := n.l2tun(ctx, "init", "--interface", "l2bench", "--address", inside+"/24", "--json")
	if err != nil {
		return nil, err
	}
	var id struct{ DID string }
	if err := json.Unmarshal(out, &id); err != nil {
		return nil, fmt.Errorf("l2tun init printed no identity: %w", err)
	}
	n.did = id.DID
	return n, n.settings(c, w)
}

// settings puts the carrier on top of the config. Beside the slow way lies a
// fast one, where the nodes must not find each other.
func (n *l2tunNode) settings(c contender, w way) error {
	text, err := os.ReadFile(n.config)
	if err != nil {
		return err
	}
	top := ""
	if c.kind != whole {
		top += fmt.Sprintf("carriers = [%q]\n", c.kind)
	}
	if w.slow {
		top += "discovery = []\n"
	}
	return os.WriteFile(n.config, append([]byte(top), text...), 0o600)
}

func (n *l2tunNode) knows(ctx context.Context, p *l2tunNode, inside string, options ...string) error {
	args := append([]string{"peer", "add", p.did, "--name", p.host.Name, "--allowed-ip", inside + "/32", "--socket", n.socket}, options...)
	_, err := n.l2tun(ctx, args...)
	return err
}

// l2tun runs a command on the node's config.
func (n *l2tunNode) l2tun(ctx context.Context, args ...string) ([]byte, error) {
	c := n.host.Command(ctx, filepath.Join(n.b.o.Programs, "l2tun"), append(args, "--config", n.config)...)
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("l2tun %s: %w", args[0], err)
	}
	return out, nil
}

// ready waits until the session is established and uses the carrier: the best one
// where all are allowed.
func (n *l2tunNode) ready(ctx context.Context, carrier string) error {
	if carrier == whole {
		carrier = direct
	}
	client, last := control.New(n.socket), "the node does not answer"
	for {
		if s, err := client.Status(ctx); err == nil && len(s.Peers) == 1 {
			if p := s.Peers[0]; p.State == "established" && p.Carrier == carrier {
				return nil
			} else {
				last = fmt.Sprintf("state %s %s, carrier %q", p.State, p.Reason, p.Carrier)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("l2tun is not established on %s within %v: %s", carrier, startTime, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
