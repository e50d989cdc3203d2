package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

const (
	startTime = 10 * time.Second // for a node to answer its socket
	stopTime  = 3 * time.Second  // for a node to end by itself
)

// A node is one of the two, as its user sees it: a host, files that are called
// after it, and commands.
type node struct {
	name   string
	iface  string
	inner  netip.Prefix // its address inside the tunnel
	host   *lab.Host
	dir    string
	screen *screen

	did     did.DID
	client  *control.Client
	process *lab.Cmd // l2tun up, once started
	down    atomic.Bool
	ended   chan struct{} // closed when process has ended
}

func newNode(name string, inner string, host *lab.Host, s *screen, dir string) *node {
	return &node{name: name, iface: "l2demo-" + name, inner: netip.MustParsePrefix(inner), host: host, dir: dir, screen: s,
		client: control.New(filepath.Join(dir, name+".sock")), ended: make(chan struct{})}
}

// command is this program again, on the node's host, in the demo's folder.
func (n *node) command(ctx context.Context, args ...string) *lab.Cmd {
	n.screen.shell(n.name, "l2tun "+strings.Join(args, " "))
	c := n.host.Command(ctx, self, args...)
	c.Args[0] = "l2tun"
	c.Dir = n.dir
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL // the demo may be killed
	return c
}

// run runs one command to its end and returns what it printed.
func (n *node) run(ctx context.Context, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	c := n.command(ctx, args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return nil, n.broke("l2tun "+args[0], err, errs.String())
	}
	return out.Bytes(), nil
}

// broke is the sentence about a command that failed: the last one that it said
// itself, if it said any.
func (n *node) broke(what string, err error, said string) error {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if last := strings.TrimPrefix(lines[len(lines)-1], "l2tun: "); last != "" {
		return fmt.Errorf("%s failed on %s: %s", what, n.name, last)
	}
	return fmt.Errorf("%s failed on %s: %w", what, n.name, err)
}

func (n *node) init(ctx context.Context) error {
	out, err := n.run(ctx, "init", "--config", n.name+".toml", "--interface", n.iface, "--address", n.inner.String(), "--json")
	if err != nil {
		return err
	}
	var id struct{ DID did.DID }
	if err := json.Unmarshal(out, &id); err != nil {
		return fmt.Errorf("l2tun init on %s printed no identity: %w", n.name, err)
	}
	n.did = id.DID
	n.screen.line("         %s", n.did)
	return nil
}

// hurry makes the node change its keys far more often than anybody would ask
// for, so that it can be seen.
func (n *node) hurry() error {
	const settings = `\n[session]\nrekey_after = "1s"\n`
	n.screen.shell(n.name, "printf '"+settings+"' >> "+n.name+".toml")
	f, err := os.OpenFile(filepath.Join(n.dir, n.name+".toml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.ReplaceAll(settings, `\n`, "\n"))
	return errors.Join(err, f.Close())
}

// addPeer tells the node, which runs, about another.
func (n *node) addPeer(ctx context.Context, peer *node, endpoints ...string) error {
	args := []string{"peer", "add", "--config", n.name + ".toml", "--socket", n.name + ".sock", "--name", peer.name,
		"--allowed-ip", netip.PrefixFrom(peer.inner.Addr(), peer.inner.Addr().BitLen()).String()}
	for _, e := range endpoints {
		args = append(args, "--endpoint", e)
	}
	_, err := n.run(ctx, append(args, peer.did.String())...)
	return err
}

// up starts the node and returns when it answers. If it ends before stop, fail
// is called with the reason.
func (n *node) up(ctx context.Context, fail context.CancelCauseFunc) error {
	log, err := os.Create(n.logPath())
	if err != nil {
		return err
	}
	defer log.Close()
	// Not ctx: a node that is broken off is asked to stop first.
	n.process = n.command(context.WithoutCancel(ctx), "up", "--config", n.name+".toml", "--socket", n.name+".sock")
	n.process.Stdout, n.process.Stderr = log, log
	if err := n.process.Start(); err != nil {
		n.process = nil
		return fmt.Errorf("cannot start the node on %s: %w", n.name, err)
	}
	go n.attend(fail)
	return n.answers(ctx)
}

func (n *node) logPath() string { return filepath.Join(n.dir, n.name+".log") }

// attend waits for the process. stop waits for attend.
func (n *node) attend(fail context.CancelCauseFunc) {
	defer close(n.ended)
	err := n.process.Wait()
	if !n.down.Load() {
		said, _ := os.ReadFile(n.logPath())
		fail(n.broke("l2tun up", errors.Join(errors.New("it ended"), err), string(said)))
	}
}

func (n *node) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		_, err := n.client.Status(ctx)
		if err == nil {
			n.screen.event(time.Now(), n.name, "interface %s is up", n.iface)
			return nil
		}
		if !pause(ctx, eager) {
			return fmt.Errorf("the node on %s does not answer: %w", n.name, err)
		}
	}
}

// peer is the node's session with the other, as its status has it.
func (n *node) peer(ctx context.Context) (control.Peer, error) {
	st, err := n.client.Status(ctx)
	if err != nil {
		return control.Peer{}, err
	}
	if len(st.Peers) != 1 {
		return control.Peer{}, fmt.Errorf("the node on %s has %d peers instead of one", n.name, len(st.Peers))
	}
	return st.Peers[0], nil
}

// stop ends the node as its user would.
func (n *node) stop(ctx context.Context) error {
	n.down.Store(true)
	_, err := n.run(ctx, "down", "--socket", n.name+".sock")
	return err
}

// kill ends what is left of the node, whatever happened before.
func (n *node) kill() {
	if n.process == nil {
		return
	}
	n.down.Store(true)
	_ = n.process.Stop(stopTime) // its error is that it was stopped
	<-n.ended
}
