package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// The time between two looks at a node that starts, and at its peer.
const (
	startPoll = 5 * time.Millisecond
	peerPoll  = 20 * time.Millisecond
)

// ErrNotRunning is returned for a node without a process.
var ErrNotRunning = errors.New("node: it does not run")

// Launch says how a node starts, beyond what its config says. The zero value is as
// its user would start it.
type Launch struct {
	Env     []string   // beside this process's
	Flags   []string   // of l2tun up
	Through []string   // a command that runs the rest of its arguments in its place
	Files   []*os.File // descriptors from 3 on
}

// Start starts l2tun up and appends what it prints to the log. It does not wait
// until the node answers.
func (n *Node) Start(l Launch) error {
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := slices.Concat([]string{"up"}, n.at(), l.Flags)
	c := n.through(context.Background(), l.Through, args) // stopped by its owner, not by a context
	c.Stdout, c.Stderr, c.ExtraFiles = log, log, l.Files
	c.Env = append(os.Environ(), l.Env...)
	if err := c.Start(); err != nil {
		return fmt.Errorf("start the node on %s: %w", n.Name, err)
	}
	n.Cmd = c
	return nil
}

// Answers waits until the control socket answers, or until ctx ends.
func (n *Node) Answers(ctx context.Context) error {
	for {
		_, err := n.Client().Status(ctx)
		if err == nil {
			return nil
		}
		if !Pause(ctx, startPoll) {
			return fmt.Errorf("the node on %s does not answer: %w", n.Name, err)
		}
	}
}

// Peer is what the node's status says of its peer with a DID.
func (n *Node) Peer(ctx context.Context, did string) (control.Peer, error) {
	st, err := n.Client().Status(ctx)
	if err != nil {
		return control.Peer{}, err
	}
	for _, p := range st.Peers {
		if p.DID == did {
			return p, nil
		}
	}
	return control.Peer{}, fmt.Errorf("the node on %s has no peer %s", n.Name, did)
}

// WaitPeer asks until what the node's status says of a peer is as wanted, and
// returns what it said last. It fails when ctx ends, and when the node does not answer.
func (n *Node) WaitPeer(ctx context.Context, did string, want func(control.Peer) bool) (control.Peer, error) {
	for {
		p, err := n.Peer(ctx, did)
		if err != nil || want(p) {
			return p, err
		}
		if !Pause(ctx, peerPoll) {
			return p, fmt.Errorf("the node on %s: its peer %s is not as it should be: %w", n.Name, did, ctx.Err())
		}
	}
}

// Stop ends the process with SIGTERM, and with SIGKILL after grace. The error is
// that of the process.
func (n *Node) Stop(grace time.Duration) error {
	c := n.Cmd
	if c == nil {
		return ErrNotRunning
	}
	n.Cmd = nil
	return c.Stop(grace)
}

// Kill ends the process with SIGKILL.
func (n *Node) Kill() error {
	c := n.Cmd
	if c == nil {
		return ErrNotRunning
	}
	n.Cmd = nil
	if err := c.Process.Kill(); err != nil {
		return err
	}
	_ = c.Wait() // killed on purpose: the error says so
	return nil
}

// Down asks the node to end with l2tun down, and waits for its process.
func (n *Node) Down(ctx context.Context) error {
	if _, err := n.Run(ctx, "down", "--socket", n.Socket); err != nil {
		return err
	}
	c := n.Cmd
	if c == nil {
		return nil
	}
	n.Cmd = nil
	return c.Wait()
}

// Pause waits for d and reports false if ctx ends first.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
