package lab

import (
	"bytes"
	"os/exec"
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
