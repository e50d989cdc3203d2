package lab

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Cmd is an exec.Cmd that starts inside a host, in a process group of its
// own. The context and Lab.Close kill that group. Wait may be called more than
// once and from several goroutines.
type Cmd struct {
	*exec.Cmd
	host *Host
	once sync.Once
	err  error
}

// Command prepares a process in the host's namespace. Files are those of this
// machine: only the network is the host's.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	c := &Cmd{Cmd: exec.CommandContext(ctx, name, args...), host: h}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = c.kill
	c.WaitDelay = 2 * time.Second // a grandchild may hold our pipes
	return c
}

// Start starts the process from a thread inside the namespace, which the child
// inherits.
func (c *Cmd) Start() error {
	l := c.host.lab
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if err := c.host.Do(c.Cmd.Start); err != nil {
		return err
	}
	l.cmds[c] = struct{}{}
	return nil
}

// Wait waits for the process to end.
func (c *Cmd) Wait() error {
	c.once.Do(func() {
		c.err = c.Cmd.Wait()
		l := c.host.lab
		l.mu.Lock()
		delete(l.cmds, c)
		l.mu.Unlock()
	})
	return c.err
}

// Run starts the process and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the process and returns its standard output.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput runs the process and returns standard output and error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Stop asks the process to end (SIGTERM), kills its group after grace, and
// waits. Its error is that of Wait.
func (c *Cmd) Stop(grace time.Duration) error {
	_ = c.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(grace, func() { _ = c.kill() })
	defer timer.Stop()
	return c.Wait()
}

// kill ends the whole group.
func (c *Cmd) kill() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }

// Run runs a program in the host to its end. The error carries its output.
func (h *Host) Run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := h.Command(ctx, name, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("lab: host %s: %s %s: %w: %s",
			h.Name, name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// endCommands kills every process group that still runs and waits for it.
func (l *Lab) endCommands() {
	l.mu.Lock()
	var running []*Cmd
	for c := range l.cmds {
		running = append(running, c)
	}
	l.mu.Unlock()
	for _, c := range running {
		_ = c.kill()
		_ = c.Wait() // killed on purpose: the error says nothing
	}
}
