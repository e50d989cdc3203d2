package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hostnames"
	"github.com/libertaria-project/l2tun/internal/app/node"
)

// KeepNamesOptions are the flags of l2tun keep-names.
type KeepNamesOptions struct {
	IO
	target
	Wait bool // for a byte on standard input
	Undo bool // only take out what a process has left that was killed
}

// newKeepNamesCmd is what "l2tun up" of root and the unit l2tun-names@ run beside a node,
// which has given up the rights for it.
func newKeepNamesCmd(o *KeepNamesOptions, runF func(context.Context, *KeepNamesOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "keep-names",
		Short: "Make the names of the peers of a running node known on this host",
		Long: `Make the names of the peers of a running node known on this host, as dns in its config
says, until the node ends; then undo that. l2tun up of root and l2tun-names@.service run it.`,
		Hidden: true,
		Args:   exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.Undo, "undo", false, "take out what such a process has left that was killed, and do nothing else")
	c.Flags().BoolVar(&o.Wait, "wait", false, "wait for a byte on standard input, and end without one")
	return c
}

func runKeepNames(ctx context.Context, o *KeepNamesOptions) error {
	if o.Undo {
		_, err := hostnames.UndoLeft(ctx, o.at)
		return err
	}
	// What ends the terminal, or the node by it, must not end this one before it has undone
	// everything: it ends with the node.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	if o.Wait {
		if _, err := bufio.NewReader(o.In).ReadByte(); err != nil {
			return nil // the node did not start
		}
	}
	log, err := newLogger(o.Err, "info", "text")
	if err != nil {
		return err
	}
	err = hostnames.Run(ctx, o.at, log)
	if o.Wait && errors.Is(err, control.ErrNotRunning) {
		return nil // the node has ended again
	}
	return err
}

// A namesProcess is that command as a child of the node's process. It is started before
// the node gives up its rights, and waits until the node answers.
type namesProcess struct {
	cmd  *exec.Cmd
	hold *os.File // its standard input
	once sync.Once
}

// startNames starts it, or says why there is none. A node that is not root's has the unit
// l2tun-names@ beside it.
func startNames(c *config.Config, socket string, log *slog.Logger) (p *namesProcess, why node.Names) {
	if c == nil || c.DNS == config.DNSOff {
		return nil, why
	}
	if os.Geteuid() != 0 {
		why.Absent = "the node is not root's, and l2tun-names@" + config.Named(c.Path) + ".service does not run"
		return nil, why
	}
	if err := hostnames.CheckPlace(); err != nil && c.DNS == config.DNSAuto {
		return nil, node.Names{Absent: err.Error(), Apart: true}
	}
	p = new(namesProcess)
	if err := p.start(socket); err != nil {
		log.Warn("cannot start the process that makes the names of peers known on this host", "error", err)
		return nil, node.Names{Absent: "its process cannot be started: " + err.Error()}
	}
	return p, why
}

func (p *namesProcess) start(socket string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	theirs, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	p.hold = hold
	p.cmd = exec.Command(self, "keep-names", "--socket", socket, "--wait")
	p.cmd.Dir, p.cmd.Stdin, p.cmd.Stderr = "/", theirs, os.Stderr
	if err := p.cmd.Start(); err != nil {
		return errors.Join(err, hold.Close())
	}
	return nil
}

// begin lets it begin: the node answers.
func (p *namesProcess) begin() {
	if p != nil {
		fmt.Fprintln(p.hold)
	}
}

// end waits for its end, which is that of the node.
func (p *namesProcess) end() {
	if p == nil {
		return
	}
	p.once.Do(func() {
		p.hold.Close()
		_ = p.cmd.Wait() // it has said itself what was wrong
	})
}
